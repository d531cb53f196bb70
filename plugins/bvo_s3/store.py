"""A store in a bucket."""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from functools import partial
from typing import Any, BinaryIO, cast

from .errors import as_os_errors
from .reader import PIECE, Reader


class S3Store:
    """Blobs as objects below a prefix, each with its SHA-256: the server refuses what arrives damaged, if it can, and a
    reader notices what comes back damaged, from whatever server. `client` is boto3's; threads may share it.
    """

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    def put(self, key: str, source: BinaryIO) -> None:
        """One request, so that the object is there whole or not at all. Takes up to 5 GiB."""
        digest = _digest(source)
        with as_os_errors():
            self._client.put_object(
                **self._object(key),
                Body=source,
                ChecksumSHA256=b64encode(digest).decode(),
                Metadata={"sha256": digest.hex()},
            )

    def open(self, key: str) -> BinaryIO:
        """One request for what is read in order, and for all of a small blob, e.g. to look into a zip."""
        with as_os_errors():
            answer = self._client.get_object(**self._object(key))
        reader = Reader(answer, partial(self._fetch, key))
        if answer["ContentLength"] > PIECE:
            return io.BufferedReader(reader, PIECE)
        with reader:
            return io.BufferedReader(io.BytesIO(reader.readall()))

    def delete(self, key: str) -> None:
        with as_os_errors():
            self._client.delete_object(**self._object(key))

    def check(self) -> None:
        """Ask for the bucket. Nothing is written: anybody may ask for the health, and where objects have versions, each
        trial would leave one."""
        with as_os_errors():
            self._client.head_bucket(Bucket=self._bucket)

    def _fetch(self, key: str, start: int) -> bytes:
        with as_os_errors():
            answer = self._client.get_object(**self._object(key), Range=f"bytes={start}-{start + PIECE - 1}")
            return cast(bytes, answer["Body"].read())

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}


def _digest(source: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    while piece := source.read(PIECE):
        digest.update(piece)
    source.seek(0)
    return digest.digest()
