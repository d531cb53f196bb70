"""A real syslog server on a free port, over TCP or TLS: it takes frames apart by their length, and keeps messages."""

from __future__ import annotations

import json
import re
import socketserver
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

HEAD = re.compile(
    r"<(?P<priority>\d{1,3})>1 (?P<time>\S{20,32}) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48})"
    r" (?P<process>[!-~]{1,128}) (?P<kind>[!-~]{1,32}) \[origin (?P<origin>[^]]*)\] "
)
WAIT_SECONDS = 10


class Message(NamedTuple):
    """`priority`, `kind` and so on are in `head`."""

    head: dict[str, str]
    body: dict[str, Any]


def parse(message: bytes) -> Message:
    """A message of RFC 5424 whose text is JSON; anything else is an error."""
    text = message.decode("ascii")
    head = HEAD.match(text)
    assert head, text
    assert text.isprintable()
    return Message(head.groupdict(), json.loads(text[head.end() :]))


class SyslogServer(socketserver.ThreadingTCPServer):
    """A context manager. `certificate` makes it speak TLS; `authority` makes it ask for certificates of clients."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, certificate: Path | None = None, authority: Path | None = None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.connections = 0
        self._messages: list[bytes] = []
        self._open: set[Any] = set()
        self._changed = threading.Condition()
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
        if self.tls and certificate:
            self.tls.load_cert_chain(certificate)
        if self.tls and authority:
            self.tls.load_verify_locations(authority)
            self.tls.verify_mode = ssl.CERT_REQUIRED

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def received(self, count: int) -> list[Message]:
        """All messages, as soon as there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._messages) >= count, WAIT_SECONDS), self._messages
            return [parse(message) for message in self._messages]

    def hang_up(self) -> None:
        """Close every connection, and return when they are closed."""
        with self._changed:
            for connection in self._open:
                connection.shutdown(2)
            assert self._changed.wait_for(lambda: not self._open, WAIT_SECONDS)

    def opened(self, connection: Any) -> None:
        with self._changed:
            self.connections += 1
            self._open.add(connection)

    def closed(self, connection: Any) -> None:
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def keep(self, message: bytes) -> None:
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return self

    def __exit__(self, *ended_by: object) -> None:
        self.shutdown()
        self.hang_up()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is refused, or hangs up, is the client's affair."""


class _Connection(socketserver.BaseRequestHandler):
    server: SyslogServer

    def handle(self) -> None:
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.server.opened(self.request)
        with suppress(ConnectionError), self.request.makefile("rb") as stream:
            while length := _length(stream):
                self.server.keep(stream.read(length))

    def finish(self) -> None:
        self.request.close()
        self.server.closed(self.request)


def _length(stream: BinaryIO) -> int:
    """Of the next frame; 0 at the end."""
    digits = b""
    while (byte := stream.read(1)) not in (b" ", b""):
        digits += byte
    assert re.fullmatch(rb"([1-9]\d*)?", digits), digits
    return int(digits or 0)
