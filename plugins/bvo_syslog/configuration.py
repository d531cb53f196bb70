"""What the environment says of the syslog server."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from bvo.config import environment
from bvo.errors import StartupError
from bvo_hookspecs import AuditSink

from .sender import Sender
from .tls import FILES, Tls

PORTS = {"tcp": 601, "tls": 6514}
"""Those that are registered for syslog over TCP (RFC 3195, RFC 5425)."""
USE = "Use tcp://HOST:PORT or tls://HOST:PORT. Its value is not shown here: it may hold a password."

BATCH = 100


def configured() -> list[AuditSink]:
    """The sink, where a server is named. Whether it answers is not asked: it may be away while we start."""
    url = environment.text("BVO_SYSLOG_URL")
    if not url:
        return []
    parts, port = _parts(url)
    sender = Sender(str(parts.hostname), port, _tls(parts.scheme))
    return [AuditSink(name="syslog", write=sender.write, batch_size=BATCH)]


def _parts(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise StartupError(f"BVO_SYSLOG_URL is no address. {USE}") from None
    if parts.scheme not in PORTS:
        raise StartupError(f"BVO_SYSLOG_URL must begin with tcp:// or tls://. {USE}")
    if not parts.hostname or parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        raise StartupError(f"BVO_SYSLOG_URL must have a host, a port and nothing else. {USE}")
    return parts, PORTS[parts.scheme] if port is None else port


def _tls(scheme: str) -> Tls | None:
    files = {name: path for name in FILES if (path := environment.text(name))}
    if scheme == "tcp":
        if files:
            raise StartupError(
                f"{', '.join(files)}: BVO_SYSLOG_URL begins with tcp://, which is not encrypted. Use tls://."
            )
        return None
    tls = Tls(*(files.get(name) for name in FILES))
    tls.context()
    return tls
