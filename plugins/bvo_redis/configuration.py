"""What the environment says of the stream."""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from bvo.config import environment, require
from bvo.errors import StartupError
from bvo_events.cloud_events import matches
from bvo_events.schemas import PATTERN
from bvo_hookspecs import WebhookEmitter

from .tls import files

BATCH = 100
"""Events that are added together: with more of them, the round trip to the server hardly counts less."""
LENGTH = 100_000
"""Of the stream, unless another is given: what takes about 200 MB of the server's memory."""
USE = (
    "Use redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS; USER, PORT and DATABASE may be left out."
    " Percent-encode what is special in a password. Its value is not shown here: it may hold one."
)


def configured() -> list[WebhookEmitter]:
    """The emitter, where a server is named. Whether it answers is not asked: it may be away while we start."""
    url = environment.secret("BVO_REDIS_STREAM_URL")
    if not url:
        return []
    server, types = _server(url), _types()
    length = environment.number("BVO_REDIS_STREAM_LENGTH", LENGTH, least=1, most=10**12)
    require("redis", extra="redis", by="BVO_REDIS_STREAM_URL")
    from .stream import Stream

    stream = Stream(server, environment.text("BVO_REDIS_STREAM_NAME", "bvo:events"), length)
    accepts = partial(matches, types)
    return [WebhookEmitter(name="redis_stream", deliver=stream.add, accepts=accepts, batch_size=BATCH)]


def _server(url: str) -> dict[str, Any]:
    """The server, as redis-py wants to be told of it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise StartupError(f"BVO_REDIS_STREAM_URL is no address. {USE}") from None
    if parts.scheme not in ("redis", "rediss"):
        raise StartupError(f"BVO_REDIS_STREAM_URL must begin with redis:// or rediss://. {USE}")
    if not parts.hostname or parts.fragment:
        raise StartupError(f"BVO_REDIS_STREAM_URL must have a host, and no #. {USE}")
    return {
        "host": parts.hostname,
        "port": 6379 if port is None else port,
        "db": _database(parts.path),
        "username": unquote(parts.username or "") or None,
        "password": unquote(parts.password or "") or None,
        "ssl": parts.scheme == "rediss",
        **_files(parts),
    }


def _database(path: str) -> int:
    number = path.strip("/") or "0"
    if not number.isdecimal() or len(number) > 5:
        raise StartupError(f"BVO_REDIS_STREAM_URL must have the number of a database behind the host, or none. {USE}")
    return int(number)


def _files(parts: SplitResult) -> dict[str, str]:
    if parts.query and parts.scheme == "redis":
        raise StartupError(f"BVO_REDIS_STREAM_URL has files for TLS, and begins with redis://, not rediss://. {USE}")
    return files(parts.query)


def _types() -> list[str]:
    types = sorted(environment.names("BVO_REDIS_STREAM_TYPES"))
    if wrong := [name for name in types if not re.fullmatch(PATTERN, name)]:
        raise StartupError(
            f"BVO_REDIS_STREAM_TYPES has {wrong[0]!r}: use types such as job.completed, or patterns such as job.*,"
            " with commas between them."
        )
    return types
