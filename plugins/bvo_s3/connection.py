"""How the bucket is reached: by variables of the environment. boto3 finds the credentials as it does everywhere."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from bvo.config import environment, require
from bvo.errors import StartupError
from bvo_hookspecs import Store

CONNECT_SECONDS = 2
READ_SECONDS = 10
ATTEMPTS = 2
"""A request waits meanwhile: a server that can't be reached fails it after about 5 s, a silent one after about 20 s."""


def connect(data_dir: Path) -> Store:
    """The store that the environment names. Raises StartupError; the server is not asked yet."""
    require("boto3", extra="s3", by="The package store s3")
    import boto3
    from botocore.config import Config

    from .store import S3Store

    client = boto3.client(
        "s3",
        endpoint_url=_endpoint(),
        region_name=environment.text("BVO_S3_REGION") or None,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            request_checksum_calculation="when_required",  # the store gives a SHA-256 with each blob, and compares it
            response_checksum_validation="when_required",  # itself: that works with servers that know none, too
        ),
    )
    return S3Store(client, _bucket(), _prefix())


def _bucket() -> str:
    bucket = environment.text("BVO_S3_BUCKET")
    if not bucket:
        raise StartupError("The package store s3 needs a bucket: set BVO_S3_BUCKET to its name.")
    return bucket


def _prefix() -> str:
    prefix = environment.text("BVO_S3_PREFIX").strip("/")
    return f"{prefix}/" if prefix else ""


def _endpoint() -> str | None:
    url = environment.text("BVO_S3_ENDPOINT")
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise StartupError("BVO_S3_ENDPOINT must be a URL like https://minio.example.com:9000, without credentials.")
    return url
