"""One HTTP request to an address that is safe to ask: a host is resolved once, and only a checked address is connected.

Nothing of the surroundings takes part: no proxies, netrc, cookies, redirects or connections of earlier requests.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from .addresses import Network, may_reach
from .urls import Target, parse

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
"""From resolving the host to the end of the answer, however slowly its bytes come."""
ANSWER_BYTES = 64 * 1024
"""What may come from the server in all, status and headers included."""
BODY_BYTES = 4_000
TEXT_LENGTH = 1_000

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

Resolved = tuple[int, int, int, str, tuple[Any, ...]]
"""What `socket.getaddrinfo` returns for each address."""


class Refused(Exception):
    """The URL must not be asked, and nothing was sent. The message tells operators what to do, and has no secret."""


class Failed(Exception):
    """There was no answer. The message tells operators why and what to do, and has no secret."""


@dataclass(frozen=True)
class Answer:
    """What came back, with any status. `headers` has names in lower case; `body` is the beginning, safe to show."""

    status: int
    headers: dict[str, str]
    body: str
    milliseconds: float


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    allowed: Sequence[Network],
    *,
    connect_seconds: float = CONNECT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
) -> Answer:
    """Send `body`, and return whatever the server answers, redirects included. Raises Refused or Failed.

    The status counts as soon as the headers are complete: a body that breaks off is shown as far as it came.
    """
    began = time.monotonic()
    ends_at = began + total_seconds
    try:
        target = parse(url)
        sent = _sent_headers(headers, target, body)
    except ValueError as error:
        raise Refused(str(error)) from None
    resolved = _resolve(target, ends_at)
    _check(target, resolved, allowed)
    try:
        with _connect(target, resolved, connect_seconds, ends_at) as sock, _secure(sock, target, ends_at) as secured:
            response = _ask(_Wire(secured, ends_at), target, body, sent)
            text = _visible(_beginning(response).decode(errors="replace"))[:TEXT_LENGTH]
    except (OSError, http.client.HTTPException) as error:
        raise Failed(_reason(target, error, total_seconds)) from error
    return Answer(response.status, _headers(response), text, (time.monotonic() - began) * 1_000)


# --- the headers ----------------------------------------------------------------------------------------------------


def _sent_headers(headers: Mapping[str, str], target: Target, body: bytes) -> dict[str, str]:
    """The caller's headers, and those of the connection, which are ours."""
    if not all(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value) for name, value in headers.items()):
        raise ValueError("Correct the headers: names are ASCII without spaces, values Latin-1 without line breaks.")
    return {name.lower(): value for name, value in headers.items()} | {
        "host": target.authority,
        "content-length": str(len(body)),
        "accept-encoding": "identity",
        "connection": "close",
    }


# --- the connection --------------------------------------------------------------------------------------------------


def _resolve(target: Target, ends_at: float) -> Sequence[Resolved]:
    """All addresses of the host. In a thread of its own: a resolver knows no deadline, and may take a minute."""
    found: Future[Sequence[Resolved]] = Future()

    def look_up() -> None:
        try:
            found.set_result(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except Exception as error:
            found.set_exception(error)

    threading.Thread(target=look_up, daemon=True, name="webhook-resolver").start()
    try:
        return found.result(ends_at - time.monotonic())
    except OSError as error:
        raise Failed(
            f"The host {target.host} could not be resolved ({_why(error)})."
            " Check how it is spelled, and the DNS of this server."
        ) from error


def _check(target: Target, resolved: Sequence[Resolved], allowed: Sequence[Network]) -> None:
    """Raises Refused if one of the addresses must not be reached: then the host is not trusted with the others."""
    for *_, (address, *_) in resolved:
        if not may_reach(address, allowed):
            which = address if address == target.host else f"{target.host} has the address {address}, which"
            raise Refused(
                f"{which} is not a public address. Name its network in the setting security.webhook_allowed_networks,"
                " or use another address."
            )


def _connect(target: Target, resolved: Sequence[Resolved], seconds: float, ends_at: float) -> socket.socket:
    """The first of the addresses that takes a connection."""
    failure = OSError("it has no address")
    for family, kind, protocol, _, address in resolved:
        try:
            return _connected(socket.socket(family, kind, protocol), address, min(seconds, _left(ends_at)))
        except OSError as error:
            failure = error
    raise Failed(
        f"{target.place} can't be reached ({_why(failure)}). Check that it is up, and the firewalls on the way."
    ) from failure


def _connected(sock: socket.socket, address: tuple[Any, ...], seconds: float) -> socket.socket:
    """No name is looked up here: the socket gets the address itself."""
    try:
        sock.settimeout(seconds)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sock.getpeername()[:2] != address[:2]:
            raise OSError("it is connected to another address")
    except OSError:
        sock.close()
        raise
    return sock


def _secure(sock: socket.socket, target: Target, ends_at: float) -> socket.socket:
    """For https, the socket with TLS, and a certificate that is valid for the host's name."""
    if target.scheme == "http":
        return sock
    sock.settimeout(_left(ends_at))
    return _tls().wrap_socket(sock, server_hostname=target.host)


@cache
def _tls() -> ssl.SSLContext:
    """Trusts the public authorities, and those that this machine trusts, or that `SSL_CERT_FILE` names."""
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _left(ends_at: float) -> float:
    """Seconds until the deadline. Raises TimeoutError behind it."""
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Wire:
    """A socket as http.client uses it, which keeps the deadline however slowly bytes go or come."""

    def __init__(self, sock: socket.socket, ends_at: float) -> None:
        self._sock, self._ends_at = sock, ends_at

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._sock.settimeout(_left(self._ends_at))
            rest = rest[self._sock.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._sock, self._ends_at))

    def close(self) -> None:
        """http.client closes before the body is read; `post` closes the socket."""


class _Incoming(io.RawIOBase):
    """What comes from the socket, up to the deadline and up to `ANSWER_BYTES`."""

    def __init__(self, sock: socket.socket, ends_at: float) -> None:
        self._sock, self._ends_at, self._room = sock, ends_at, ANSWER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._room <= 0:
            raise http.client.HTTPException
        self._sock.settimeout(_left(self._ends_at))
        count = self._sock.recv_into(buffer, min(len(buffer), self._room))
        self._room -= count
        return count


# --- the answer ------------------------------------------------------------------------------------------------------


def _ask(wire: _Wire, target: Target, body: bytes, headers: Mapping[str, str]) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.auto_open = 0  # no connection but the one that was checked
    connection.sock = wire
    connection.request("POST", target.path, body, headers)
    return connection.getresponse()


def _beginning(response: http.client.HTTPResponse) -> bytes:
    """The first bytes of the body, as sent: nothing is decompressed."""
    read = b""
    with suppress(OSError, http.client.HTTPException):
        while len(read) < BODY_BYTES and (block := response.read1(BODY_BYTES - len(read))):
            read += block
    return read


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in response.getheaders():
        key, shown = _visible(name.lower()), _visible(" ".join(value.split()))
        found[key] = f"{found[key]}, {shown}" if key in found else shown
    return found


def _visible(text: str) -> str:
    """The text with control characters, invisible ones and those that turn its direction written as escapes."""
    lines = text.replace("\r\n", "\n")
    return "".join(
        character if character.isprintable() or character in "\n\t" else ascii(character)[1:-1] for character in lines
    )


def _reason(target: Target, error: Exception, seconds: float) -> str:
    match error:
        case TimeoutError():
            return f"{target.place} did not answer within {seconds:g} seconds. Let it answer first and work afterwards."
        case ssl.SSLCertVerificationError():
            return (
                f"The certificate of {target.place} is not valid here: {error.verify_message.rstrip('.')}. Correct it,"
                " or add its authority to those that this server trusts (SSL_CERT_FILE)."
            )
        case ssl.SSLError():
            return f"{target.place} did not agree on TLS ({error.reason}). Check the port, and https against http."
        case ConnectionError():
            return f"{target.place} closed the connection without an answer. Look into its log."
        case http.client.HTTPException():
            return f"{target.place} answered, but not in HTTP, or with headers that are too long. Check the port."
    return f"The connection to {target.place} broke off ({_why(error)}). Check the network on the way."


def _why(error: Exception) -> str:
    """The system's own words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
