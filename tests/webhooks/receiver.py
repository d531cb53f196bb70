"""A real server on loopback that treats each connection as a script says, with no HTTP library in between."""

from __future__ import annotations

import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

Script = Callable[[socket.socket, threading.Event], object]
"""What is done with a connection once its request was read. The event is set when the test is over."""


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


class Receiver(socketserver.ThreadingTCPServer):
    """`requests` holds what came, `names` what TLS clients asked for. A context manager."""

    daemon_threads = True

    def __init__(self, script: Script, host: str = "127.0.0.1", certificate: Path | None = None) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, 0), _Exchange)
        self.script = script
        self.requests: list[Request] = []
        self.connections = 0
        self.names: list[str | None] = []
        self.released = threading.Event()
        self.tls = _server_context(certificate, self.names) if certificate else None

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, host: str | None = None, path: str = "/hook") -> str:
        """Its URL; `host` is another name for where it is. With TLS it is `localhost`, as in its certificate."""
        own = "[::1]" if self.address_family == socket.AF_INET6 else "127.0.0.1"
        return (
            f"https://{host or 'localhost'}:{self.port}{path}"
            if self.tls
            else f"http://{host or own}:{self.port}{path}"
        )

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return self

    def __exit__(self, *ended_by: object) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is the client's affair."""


class _Exchange(socketserver.BaseRequestHandler):
    server: Receiver
    request: socket.socket

    def handle(self) -> None:
        self.server.connections += 1
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        try:
            with self.request.makefile("rb") as incoming:
                self.server.requests.append(_read_request(incoming))
            self.server.script(self.request, self.server.released)
        finally:
            self.request.close()


def _read_request(incoming: Any) -> Request:
    line = incoming.readline().decode().rstrip()
    headers = {}
    while header := incoming.readline().decode("latin-1").rstrip():
        name, _, value = header.partition(": ")
        headers[name.lower()] = value
    return Request(line, headers, incoming.read(int(headers["content-length"])))


def _server_context(certificate: Path, names: list[str | None]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _, name, __: names.append(name)
    return context


def response(status: int = 200, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Some Words", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def sends(data: bytes) -> Script:
    """Sends it and keeps the connection open, as servers do that expect another request."""

    def script(connection: socket.socket, released: threading.Event) -> None:
        connection.sendall(data)
        released.wait()

    return script


def sends_and_closes(data: bytes) -> Script:
    return lambda connection, _: connection.sendall(data)


def drips(beginning: bytes, then: bytes) -> Script:
    """Sends the beginning, and then a piece every now and then, for ever."""

    def script(connection: socket.socket, released: threading.Event) -> None:
        connection.sendall(beginning)
        while not released.wait(0.02):
            connection.sendall(then)

    return script


def floods(beginning: bytes, then: bytes) -> Script:
    """Sends without end, as fast as it can."""

    def script(connection: socket.socket, released: threading.Event) -> None:
        connection.sendall(beginning)
        while not released.is_set():
            connection.sendall(then)

    return script


def resets(connection: socket.socket, _: threading.Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
