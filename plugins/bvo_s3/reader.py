"""Reading an object."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from typing import Any

from bvo_hookspecs import DamagedBlob

from .errors import as_os_errors

PIECE = 256 * 1024
"""Bytes that are asked for, and kept, at a time."""


class Reader(io.RawIOBase):
    """In order, it reads the answer that opened the object, and compares the SHA-256; after a seek it asks for pieces.

    `fetch` gets a piece by the position of its first byte; each begins at a multiple of PIECE.
    """

    def __init__(self, answer: Mapping[str, Any], fetch: Callable[[int], bytes]) -> None:
        self._body = answer["Body"]
        self._size: int = answer["ContentLength"]
        self._sha256: str | None = answer["Metadata"].get("sha256")
        self._digest = hashlib.sha256()
        self._fetch = fetch
        self._piece, self._piece_start = b"", -1
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._position)
        if length <= 0:
            return 0
        data = self._following(length) if self._body else self._around(length)
        self._position += len(data)
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if position < 0:
            raise ValueError(f"there is no position {position}")
        if position != self._position:
            self._leave()
        self._position = position
        return position

    def close(self) -> None:
        self._leave()
        super().close()

    def _following(self, length: int) -> bytes:
        with as_os_errors():
            data: bytes = self._body.read(length)
        self._digest.update(data)
        if self._position + len(data) == self._size and self._sha256 not in (None, self._digest.hexdigest()):
            raise DamagedBlob(f"the object should have the SHA-256 {self._sha256}, and has {self._digest.hexdigest()}")
        return data

    def _around(self, length: int) -> bytes:
        offset = self._position % PIECE
        if self._piece_start != self._position - offset:
            self._piece_start = self._position - offset
            self._piece = self._fetch(self._piece_start)
        return self._piece[offset : offset + length]

    def _leave(self) -> None:
        if self._body:
            self._body.close()
        self._body = None
