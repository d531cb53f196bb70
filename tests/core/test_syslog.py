"""The audit trail to a syslog server: whole messages, over one connection, whatever the server does meanwhile."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from bvo import __version__, consumers, observers, registry
from bvo.consumers import HeldEvents
from bvo.database import db
from bvo.errors import StartupError
from bvo.worker import Worker
from bvo_hookspecs import AuditSink, Event, WebhookEmitter
from bvo_syslog import configuration
from bvo_syslog import sender as sending
from bvo_syslog.configuration import configured
from bvo_syslog.message import MAX_BYTES, frame
from bvo_syslog.sender import Sender
from bvo_syslog.tls import Tls
from support.plugins import Site
from support.servers import free_port
from support.smtp import make_certificate
from support.syslog import Message, SyslogServer, parse
from support.walls import event, happen, make_due


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of `localhost`, which is its own authority."""
    return make_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture(scope="module")
def other_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "other.pem")


@pytest.fixture(autouse=True)
def _connections_settle_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SETTLE_SECONDS", 0.1)


@pytest.fixture
def make_sender() -> Iterator[Callable[..., Sender]]:
    """Makes senders as `Sender` does, and closes their connections."""
    with ExitStack() as ends:

        def make(host: str, port: int, *tls: Tls) -> Sender:
            made = Sender(host, port, *tls)
            ends.callback(made.close)
            return made

        yield make


def parsed(told: Event) -> Message:
    length, _, message = frame(told).partition(b" ")
    assert int(length) == len(message)
    return parse(message)


def ids(messages: list[Message]) -> list[str]:
    return [message.body["id"] for message in messages]


# --- the message


def test_a_message_has_all_that_the_event_has() -> None:
    head, body = parsed(event(after={"height": 2}))
    assert head == {
        "priority": "110",  # 13, the log audit, and 6, informational
        "time": "2026-11-02T08:30:00.000000Z",
        "host": socket.gethostname(),
        "app": "bv-orchestrator",
        "process": "-",
        "kind": "wall.built",
        "origin": f'software="bv-orchestrator" swVersion="{__version__}"',
    }
    assert body == {
        "id": "01978f3a-5c00-7000-8000-0123456789ab",
        "type": "wall.built",
        "action": "wall.build",
        "action_type": "created",
        "occurred_at": "2026-11-02T08:30:00.000000Z",
        "actor_kind": "user",
        "actor_id": 3,
        "actor_name": "anna",
        "entity_type": "wall",
        "entity_label": "Wall",
        "entity_id": "17",
        "entity_name": "tower",
        "message": "Built.",
        "before": None,
        "after": {"height": 2},
        "metadata": {},
        "ip_address": None,
        "user_agent": None,
        "place": 0,
        "omitted": [],
    }


@pytest.mark.parametrize(
    ("action_type", "priority"), [("created", "110"), ("login", "110"), ("denied", "108"), ("login_failed", "108")]
)
def test_what_was_refused_is_a_warning(action_type: str, priority: str) -> None:
    assert parsed(event(action_type=action_type)).head["priority"] == priority


@pytest.mark.parametrize(
    "text", ["a\n<110>1 - - - - - - b", "\x00\x7f\x85\u2028", "] b", "\ud83d", "Zürich 🏭"], ids=ascii
)
def test_no_text_can_begin_a_message(text: str) -> None:
    assert parsed(event(entity_name=text)).body["entity_name"] == text


def test_the_head_has_visible_ascii_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "büro 1")
    head = parsed(event(type="wall.a_name_that_is_longer_than_thirty_two\n")).head
    assert (head["host"], head["kind"]) == ("b_ro_1", "wall.a_name_that_is_longer_than_")


def test_of_a_message_that_would_be_too_long_the_largest_fields_are_left_out_and_named() -> None:
    told = event(before={"text": "x" * 3000}, after={"text": "x" * 9000}, user_agent="ü" * 2000)
    assert MAX_BYTES - 5000 < len(frame(told)) <= MAX_BYTES + len("8192 ")
    body = parsed(told).body
    assert body["omitted"] == ["user_agent", "after"]
    assert (body["user_agent"], body["after"], body["before"]) == (None, None, {"text": "x" * 3000})


# --- the connection


def test_many_messages_take_one_connection(make_sender: Callable[..., Sender]) -> None:
    with SyslogServer() as server:
        sender = make_sender("127.0.0.1", server.port)
        for number in range(50):
            sender.write([event(id=str(number))])
        assert ids(server.received(50)) == [str(number) for number in range(50)]
        assert server.connections == 1


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_connection_that_the_server_has_closed_is_made_anew_and_loses_nothing(
    make_sender: Callable[..., Sender], certificate: Path, encrypted: bool
) -> None:
    with SyslogServer(certificate if encrypted else None) as server:
        sender = make_sender("localhost", server.port, *([Tls(str(certificate))] if encrypted else []))
        for number in range(3):
            sender.write([event(id=str(number))])
            server.received(number + 1)
            server.hang_up()
        assert (ids(server.received(3)), server.connections) == (["0", "1", "2"], 3)


def test_a_connection_that_was_reset_is_made_anew_and_loses_nothing(make_sender: Callable[..., Sender]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = make_sender("127.0.0.1", listener.getsockname()[1])
        for number in range(2):
            told = event(id=str(number))
            sender.write([told])
            connection, _ = listener.accept()
            assert connection.recv(10_000) == frame(told)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()


def test_what_accepts_connections_and_closes_them_gets_nothing_and_is_told(
    make_sender: Callable[..., Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a proxy does that has no server behind it: whatever is sent there is lost."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = make_sender("127.0.0.1", listener.getsockname()[1])
        connect = socket.create_connection

        def connect_and_close(*address: Any) -> socket.socket:
            connection = connect(*address)
            listener.accept()[0].close()
            return connection

        monkeypatch.setattr(socket, "create_connection", connect_and_close)
        with pytest.raises(ConnectionError, match="the syslog server has closed the connection"):
            sender.write([event()])


def test_a_server_that_does_not_read_holds_nobody_up_for_long(
    make_sender: Callable[..., Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_SECONDS", 0.2)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sender = make_sender("127.0.0.1", listener.getsockname()[1])
        told = event(after={"text": "x" * 7000})
        with pytest.raises(TimeoutError):
            for _ in range(10_000):
                sender.write([told])
        started = time.monotonic()
        with pytest.raises(ConnectionError, match=r"127\.0\.0\.1 is left alone for some seconds after this: timed out"):
            sender.write([told])
        assert time.monotonic() - started < 0.1


def test_a_server_that_accepts_no_connection_holds_nobody_up_for_long(
    make_sender: Callable[..., Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS never begins. An address that swallows packets is the same to us."""
    monkeypatch.setattr(sending, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = make_sender("localhost", listener.getsockname()[1], Tls())
        for expected in (TimeoutError, ConnectionError):
            with pytest.raises(expected):
                sender.write([event()])
        now = time.monotonic()
        monkeypatch.setattr(sending, "time", SimpleNamespace(monotonic=lambda: now + 10))
        with pytest.raises(TimeoutError):
            sender.write([event()])


# --- TLS


def test_a_server_that_is_not_the_one_that_was_named_gets_nothing(
    make_sender: Callable[..., Sender], certificate: Path, other_certificate: Path
) -> None:
    with SyslogServer(certificate) as server:
        for host, authority in (("127.0.0.1", certificate), ("localhost", other_certificate)):
            with pytest.raises(OSError, match="certificate verify failed"):
                make_sender(host, server.port, Tls(str(authority))).write([event(id="secret")])
        make_sender("localhost", server.port, Tls(str(certificate))).write([event(id="open")])
        assert ids(server.received(1)) == ["open"]


def test_a_client_is_known_by_its_certificate_and_told_where_it_is_not(
    make_sender: Callable[..., Sender], certificate: Path, other_certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TLS 1.3 the server says so after the handshake, when we could have sent and lost the event."""
    with SyslogServer(certificate, authority=other_certificate) as server:
        monkeypatch.setattr(sending, "SETTLE_SECONDS", 5)
        for own in (None, str(certificate)):
            stranger = make_sender("localhost", server.port, Tls(str(certificate), own))
            with pytest.raises(OSError, match=r"certificate required|unknown ca|closed the connection|reset by peer"):
                stranger.write([event(id="of a stranger")])
        monkeypatch.setattr(sending, "SETTLE_SECONDS", 0.1)
        known = make_sender(
            "localhost", server.port, Tls(str(certificate), str(other_certificate), str(other_certificate))
        )
        known.write([event(id="of a friend")])
        assert ids(server.received(1)) == ["of a friend"]


# --- the worker


def test_a_server_that_was_away_for_a_day_misses_nothing_and_keeps_nobody_waiting(
    make_app: Callable[..., Flask], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, other, hour = free_port(), [], 0
    monkeypatch.setenv("BVO_SYSLOG_URL", f"tcp://127.0.0.1:{port}")
    accepts = {"wall.built"}.__contains__
    site.plug("others", webhook_emitters=[WebhookEmitter(name="other", deliver=other.extend, accepts=accepts)])
    app = make_app()
    monkeypatch.setattr(observers, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + hour * 3600))
    with app.app_context():
        consumers.enroll()
        worker = Worker(app)
        for hour in range(0, 24, 2):
            happen("tower", after={"hour": hour})
            happen(f"fence {hour}")
            make_due()
            worker.step()
            assert [each.entity_name for each in other[-2:]] == ["tower", f"fence {hour}"]
        assert "Connection refused" in db.session.scalar(select(HeldEvents.last_error))
        with SyslogServer(port=port) as server:
            for _ in range(6):
                hour += 1
                make_due()
                worker.step()
            got = [message.body for message in server.received(24)]
        registry.current().of(AuditSink)["syslog"].write.__self__.close()
    assert sorted(each["id"] for each in got) == sorted(each.id for each in other)
    assert [each["after"]["hour"] for each in got if each["entity_name"] == "tower"] == list(range(0, 24, 2))


# --- the configuration


def test_without_a_server_there_is_no_sink(sqlite_app: Callable[..., Flask]) -> None:
    with sqlite_app().app_context():
        assert registry.current().of(AuditSink) == {}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"BVO_SYSLOG_URL": "udp://host"}, "must begin with tcp:// or tls://. Use tcp://HOST:PORT or"),
        ({"BVO_SYSLOG_URL": "host:514"}, "must begin with tcp:// or tls://"),
        ({"BVO_SYSLOG_URL": "tcp://host:many"}, "is no address"),
        ({"BVO_SYSLOG_URL": "tcp://[::1"}, "is no address"),
        ({"BVO_SYSLOG_URL": "tcp://:601"}, "must have a host, a port and nothing else"),
        ({"BVO_SYSLOG_URL": "tls://anna:canary@host"}, "must have a host, a port and nothing else"),
        ({"BVO_SYSLOG_URL": "tls://host/?token=canary"}, "must have a host, a port and nothing else"),
        (
            {"BVO_SYSLOG_URL": "tcp://host", "BVO_SYSLOG_CA_FILE": "{certificate}"},
            "BVO_SYSLOG_CA_FILE: BVO_SYSLOG_URL begins with tcp://, which is not encrypted. Use tls://.",
        ),
        ({"BVO_SYSLOG_CA_FILE": "/none"}, "BVO_SYSLOG_CA_FILE is /none, which has no certificates in PEM"),
        ({"BVO_SYSLOG_KEY_FILE": "{certificate}"}, "BVO_SYSLOG_KEY_FILE is set, and BVO_SYSLOG_CERT_FILE is not"),
        ({"BVO_SYSLOG_CERT_FILE": "/none"}, "BVO_SYSLOG_CERT_FILE is /none, and BVO_SYSLOG_KEY_FILE not set"),
        (
            {"BVO_SYSLOG_CERT_FILE": "{certificate}", "BVO_SYSLOG_KEY_FILE": "{other}"},
            "They must be a certificate and its key in PEM",
        ),
    ],
)
def test_what_is_configured_wrongly_is_told_and_no_password(
    certificate: Path, other_certificate: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, str], told: str
) -> None:
    for name, value in ({"BVO_SYSLOG_URL": "tls://localhost"} | values).items():
        monkeypatch.setenv(name, value.format(certificate=certificate, other=other_certificate))
    with pytest.raises(StartupError) as refused:
        configured()
    assert told in str(refused.value)
    assert "canary" not in str(refused.value)


def test_it_stops_the_start(sqlite_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVO_SYSLOG_URL", "http://host")
    with pytest.raises(StartupError, match="BVO_SYSLOG_URL must begin"):
        sqlite_app()


def test_the_registered_ports_are_taken_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Any, ...]] = []

    def sender(*values: Any) -> Any:
        made.append(values)
        return SimpleNamespace(write=print)

    monkeypatch.setattr(configuration, "Sender", sender)
    for url in ("tcp://log.example.com", "tls://[::1]", "tcp://localhost:514/"):
        monkeypatch.setenv("BVO_SYSLOG_URL", url)
        configured()
    assert made == [("log.example.com", 601, None), ("::1", 6514, Tls()), ("localhost", 514, None)]
