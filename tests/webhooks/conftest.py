"""Fixtures: receivers, webhooks, a resolver of the test's own, and a record of every connection that is tried."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from bvo_webhooks import sending
from support.api import Api
from support.hooks import Hook, Mover
from support.inbox import Inbox
from support.smtp import make_certificate
from webhooks.receiver import Receiver, Script


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For `localhost`, and from an authority of its own."""
    return make_certificate(tmp_path_factory.mktemp("tls") / "localhost.pem")


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The certificate, whose authority this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sending._tls.cache_clear()
    yield certificate
    sending._tls.cache_clear()


class Resolver:
    """Answers for the names in `names`, in turn where there are several answers; no name is asked of the real DNS."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.lookups: list[str] = []
        self._real = socket.getaddrinfo

    def __call__(self, host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
        self.lookups.append(host)
        if host in self.names:
            answers = self.names[host]
            addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        else:
            addresses = ["127.0.0.1", "::1"] if host == "localhost" else [host]
        options["flags"] = socket.AI_NUMERICHOST
        return [found for address in addresses for found in self._real(address, port, *arguments, **options)]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return resolver


@pytest.fixture
def receive(resolver: Resolver) -> Iterator[Callable[..., Receiver]]:
    """Starts receivers: `receive(script)`."""
    with ExitStack() as stack:

        def start(script: Script, host: str = "127.0.0.1", certificate: Path | None = None) -> Receiver:
            return stack.enter_context(Receiver(script, host, certificate))

        yield start


class Connections:
    """`tried` has every address that a socket was to be connected to. None beyond loopback is reached."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.instead: tuple[str, int] | None = None
        """Where connections go in truth."""

    def connect(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        self.tried.append(address[0])
        if self.instead is None and address[0] not in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
            raise OSError("the test ends here")
        super(socket.socket, sock).connect(self.instead or address)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    connections = Connections()
    monkeypatch.setattr(socket.socket, "connect", lambda sock, address: connections.connect(sock, address))
    return connections


class Listeners:
    """Two sockets that listen on one port of loopback, with IPv4 and IPv6."""

    def __init__(self) -> None:
        self.ipv4 = socket.create_server(("127.0.0.1", 0))
        self.port = self.ipv4.getsockname()[1]
        self.ipv6 = socket.create_server(("::1", self.port), family=socket.AF_INET6)

    def accepted(self) -> list[socket.socket]:
        """The connections that wait to be served. The kernel has made them before the client's `connect` returns."""
        found = []
        for listener in (self.ipv4, self.ipv6):
            listener.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    found.append(listener.accept()[0])
        return found

    def close(self) -> None:
        self.ipv4.close()
        self.ipv6.close()


@pytest.fixture(scope="module")
def listeners() -> Iterator[Listeners]:
    """Of the module: whoever asks for them leaves no connection behind."""
    listeners = _listeners()
    yield listeners
    listeners.close()


def _listeners() -> Listeners:
    while True:
        with suppress(OSError):  # somebody has the port with IPv6
            return Listeners()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as running:
        yield running


@pytest.fixture
def hook(admin: Api, inbox: Inbox) -> Hook:
    """A new webhook that sends to the inbox, which is on this machine, so its network is allowed."""
    admin.ok(admin.put("/api/settings/security", {"webhook_allowed_networks": ["127.0.0.0/8"]}))

    def make(*event_types: str, **body: Any) -> dict[str, Any]:
        numbered = f"hook {len(admin.ok(admin.get('/api/webhooks')))}"
        body = {"name": numbered, "url": inbox.url, "event_types": event_types or ["machine.*"], **body}
        made: dict[str, Any] = admin.ok(admin.post("/api/webhooks", body))
        return made

    return make


@pytest.fixture
def mover(app: Flask) -> Mover:
    return Mover(app)
