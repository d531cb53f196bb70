"""Events to a Redis stream: each is in it, whatever the server does meanwhile."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select as query

from bvo import consumers, observers, registry
from bvo.consumers import HeldEvents
from bvo.database import db
from bvo.errors import StartupError
from bvo.worker import Worker
from bvo_hookspecs import Event, WebhookEmitter
from bvo_redis import configuration
from bvo_redis import stream as streaming
from bvo_redis.configuration import configured
from bvo_redis.stream import Stream, StreamFailed
from conftest import as_admin, missing
from support.databases import SqliteDatabases
from support.plugins import Site
from support.redis_server import RedisServer, login
from support.servers import free_port
from support.smtp import make_certificate
from support.walls import event, happen, make_due

GIVEN_UP_SECONDS = 2 * streaming.TIMEOUT_SECONDS
"""So long it may take: to connect, and until an answer does not come."""


@pytest.fixture(autouse=True)
def _a_busy_machine_is_no_failing_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "TIMEOUT_SECONDS", 30)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Runs servers as `RedisServer` does, until the end of the test."""
    if not RedisServer.available():
        missing("Redis: install redis-server")
    with ExitStack() as ends:
        yield lambda *options, **known: ends.enter_context(RedisServer(tmp_path / "redis", *options, **known))


@pytest.fixture
def server(run: Callable[..., RedisServer]) -> RedisServer:
    return run()


@pytest.fixture
def make_stream(lend: Callable[..., Flask], sqlite: SqliteDatabases) -> Iterator[Callable[..., Stream]]:
    """Makes streams inside the context of an app, and closes their connections."""
    with ExitStack() as ends:
        ends.enter_context(lend(sqlite).app_context())

        def make(port: int, *, length: int = 100_000, **known: Any) -> Stream:
            made = Stream(login(port, **known), "bvo:events", length)
            ends.callback(made.close)
            return made

        yield make


@pytest.fixture
def working(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Flask, Worker]]]:
    """An app that writes to the stream at this URL, inside its context, and its worker."""
    with ExitStack() as ends:

        def work(url: str, **values: Any) -> tuple[Flask, Worker]:
            for name, value in ({"BVO_REDIS_STREAM_URL": url} | values).items():
                monkeypatch.setenv(name, str(value))
            app = make_app()
            ends.enter_context(app.app_context())
            ends.callback(registry.current().of(WebhookEmitter)["redis_stream"].deliver.__self__.close)  # type: ignore[attr-defined]
            consumers.enroll()
            return app, Worker(app)

        yield work


def walls(count: int, **fields: Any) -> list[Event]:
    return [event(id=f"{number:04}", entity_id=str(number), **fields) for number in range(count)]


# --- what is in the stream


def test_the_stream_has_each_event_as_the_api_tells_it(
    server: RedisServer, working: Callable[..., tuple[Flask, Worker]]
) -> None:
    app, worker = working(server.url)
    for number in range(3):
        happen(f"tower {number}", after={"height": number}, metadata={"by": "Zürich 🏭\n"})
    worker.step()
    told = as_admin(app).get("/api/events?types=wall.*").get_json()["events"]
    entries = server.entries()
    assert [json.loads(entry["event"]) for entry in entries] == told
    assert [entry["subject"] for entry in entries] == ["wall/tower 0", "wall/tower 1", "wall/tower 2"]
    for entry, said in zip(entries, told, strict=True):
        assert (entry["id"], entry["type"], entry["subject"]) == (said["id"], said["type"], said["subject"])


def test_many_events_are_added_in_few_transactions_and_in_their_order(
    server: RedisServer, working: Callable[..., tuple[Flask, Worker]]
) -> None:
    _, worker = working(server.url)
    happened = [happen(f"tower {number % 7}").id for number in range(250)]
    while worker.step():
        pass
    assert server.ids() == happened
    assert server.client.info("commandstats")["cmdstat_exec"]["calls"] == 3


def test_only_the_types_that_are_wanted_are_added(
    server: RedisServer, working: Callable[..., tuple[Flask, Worker]]
) -> None:
    types = "wall.built, fence.*"
    _, worker = working(server.url, BVO_REDIS_STREAM_TYPES=types, BVO_REDIS_STREAM_NAME="walls")
    for kind in ("wall.built", "wall.painted", "fence.built", "fence.painted", "fenced.built"):
        happen(type=kind)
    worker.step()
    assert [entry["type"] for entry in server.entries("walls")] == ["wall.built", "fence.built", "fence.painted"]


@pytest.mark.parametrize("text", ["a\r\n*1\r\n$8\r\nFLUSHALL\r\n", "\x00\x7f\x85\u2028", "Zürich 🏭"], ids=ascii)
def test_whatever_an_event_holds_is_one_entry(
    server: RedisServer, make_stream: Callable[..., Stream], text: str
) -> None:
    stream = make_stream(server.port)
    stream.add([event(after={"text": text}), event(id="2")])
    first, second = server.entries()
    assert (json.loads(first["event"])["data"]["entity"], second["id"]) == ({"text": text}, "2")


def test_several_consumers_of_a_group_share_the_events(server: RedisServer, make_stream: Callable[..., Stream]) -> None:
    client = server.client
    client.xgroup_create("bvo:events", "tickets", mkstream=True)
    make_stream(server.port).add(walls(10))
    got: list[str] = []
    for consumer in ("one", "two", "one"):
        for _, entries in client.xreadgroup("tickets", consumer, {"bvo:events": ">"}, count=4):
            got += [fields["id"] for _, fields in entries]
    assert got == [f"{number:04}" for number in range(10)]


def test_the_oldest_entries_go_where_the_stream_is_full(
    server: RedisServer, make_stream: Callable[..., Stream]
) -> None:
    stream = make_stream(server.port, length=200)
    for _ in range(10):
        stream.add(walls(100))
    assert 200 <= server.client.xlen("bvo:events") < 400
    assert server.ids()[-1] == "0099"


# --- a server that fails


def test_a_server_that_was_started_anew_is_noticed_before_anything_is_sent_to_it(
    server: RedisServer, make_stream: Callable[..., Stream]
) -> None:
    stream = make_stream(server.port)
    for number in range(3):
        stream.add([event(id=str(number))])
        server.stop(signal.SIGKILL)
        server.start()
    assert server.ids() == ["0", "1", "2"]


def test_a_frozen_server_is_given_up_in_time_and_left_alone_and_has_all_when_it_is_back(
    server: RedisServer, make_stream: Callable[..., Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert GIVEN_UP_SECONDS < observers.BUDGET_SECONDS
    monkeypatch.setattr(streaming, "TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(streaming, "REST", 1000)
    stream = make_stream(server.port)
    stream.add([event(id="before")])
    for known in (stream, make_stream(server.port)):  # one with a connection, one without
        server.freeze()
        started = time.monotonic()
        with pytest.raises(StreamFailed, match=r"^localhost: Timeout reading from socket"):
            known.add(walls(50))
        took = time.monotonic() - started
        with pytest.raises(StreamFailed, match="localhost is left alone for some seconds after this: Timeout reading"):
            known.add(walls(50))
        assert took < observers.BUDGET_SECONDS
        assert time.monotonic() - started < took + 1
        server.thaw()
    monkeypatch.setattr(streaming, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 100_000))
    stream.add(walls(50))
    assert list(dict.fromkeys(server.ids())) == ["before", *(each.id for each in walls(50))]


def test_a_batch_for_which_the_memory_does_not_suffice_is_not_there_in_part(
    server: RedisServer, make_stream: Callable[..., Stream]
) -> None:
    client, stream = server.client, make_stream(server.port)
    stream.add([event(id="before")])
    large = walls(100, after={"text": "x" * 15_000})
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 500_000)
    with pytest.raises(StreamFailed, match=r"^localhost: command not allowed when used memory > 'maxmemory'"):
        stream.add(large)
    assert server.ids() == ["before"]
    client.config_set("maxmemory", 0)
    wait_for(lambda: stream.add(large))
    assert server.ids() == ["before", *(each.id for each in large)]


def test_a_connection_that_is_cut_within_a_batch_leaves_nothing_of_it(
    server: RedisServer, make_stream: Callable[..., Stream]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=forward_some, args=(listener, server.port, 20_000))
        thread.start()
        stream = make_stream(listener.getsockname()[1])
        with pytest.raises(StreamFailed, match=r"closed by server|reset by peer|Broken pipe"):
            stream.add(walls(100, after={"text": "x" * 10_000}))
        thread.join()
    assert server.ids() == []


def forward_some(listener: socket.socket, port: int, size: int) -> None:
    """Forward so many bytes to the server, and what it answers; cut the connection then."""
    with listener.accept()[0] as incoming, socket.create_connection(("127.0.0.1", port)) as outgoing:
        other = {incoming: outgoing, outgoing: incoming}
        while size > 0:
            for ready in select.select([incoming, outgoing], [], [])[0]:
                data = ready.recv(4096)
                assert data
                other[ready].sendall(data)
                size -= len(data) if ready is incoming else 0


def test_a_server_that_has_become_a_replica_gets_them_when_it_is_none_any_more(
    server: RedisServer, make_stream: Callable[..., Stream]
) -> None:
    stream = make_stream(server.port)
    stream.add([event(id="0")])
    server.client.replicaof("127.0.0.1", str(free_port()))
    with pytest.raises(StreamFailed, match=r"^localhost: You can't write against a read only replica"):
        stream.add([event(id="1")])
    server.client.replicaof("NO", "ONE")
    wait_for(lambda: stream.add([event(id="1")]))
    assert server.ids() == ["0", "1"]


def test_where_another_server_has_taken_over_the_name_leads_to_it(
    run: Callable[..., RedisServer],
    make_stream: Callable[..., Stream],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, resolve = run(), socket.getaddrinfo
    with RedisServer(tmp_path / "other") as new:
        primary = old
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *rest: resolve(host, primary.port, *rest))
        stream = make_stream(6379)
        stream.add([event(id="0")])
        old.client.replicaof("127.0.0.1", str(free_port()))
        primary = new
        with pytest.raises(StreamFailed, match="read only replica"):
            stream.add([event(id="1")])
        wait_for(lambda: stream.add([event(id="1")]))
        assert new.ids() == ["1"]


def test_a_name_that_is_taken_by_something_else_is_told(
    server: RedisServer, make_stream: Callable[..., Stream]
) -> None:
    server.client.set("bvo:events", "a text")
    with pytest.raises(StreamFailed, match=r"^localhost: WRONGTYPE Operation against a key"):
        make_stream(server.port).add(walls(3))


@pytest.mark.parametrize(
    ("options", "known", "told"),
    [
        (("--requirepass", "right"), {"password": "canary"}, "invalid username-password pair or user is disabled"),
        (("--requirepass", "right"), {}, "Authentication required"),
        (("--rename-command", "AUTH", ""), {"password": "canary"}, r"unknown command 'AUTH', .*'\*\*\*'"),
        (("--requirepass", "right"), {"username": "anna", "password": "canary"}, "invalid username-password pair"),
        ((), {"db": 99}, "DB index is out of range"),
    ],
)
def test_who_is_not_let_in_is_told_why_and_no_password(
    run: Callable[..., RedisServer],
    make_stream: Callable[..., Stream],
    caplog: pytest.LogCaptureFixture,
    options: tuple[str, ...],
    known: dict[str, Any],
    told: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    server = run(*options, **({"password": "right"} if "right" in options else {}))
    with pytest.raises(StreamFailed, match=told) as failed:
        make_stream(server.port, **known).add([event()])
    logging.getLogger("test").error("failed", exc_info=failed.value)
    assert "StreamFailed" in caplog.text
    assert "canary" not in caplog.text


def test_what_is_no_redis_server_is_told(make_stream: Callable[..., Stream]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with listener.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(StreamFailed, match=r"HTTP/1\.1 400"):
            make_stream(listener.getsockname()[1]).add([event()])
        thread.join()


def test_a_name_of_no_host_is_told(make_stream: Callable[..., Stream]) -> None:
    with pytest.raises(StreamFailed, match=r"Error -[0-9]+ connecting to nowhere\.invalid:6379"):
        make_stream(6379, host="nowhere.invalid").add([event()])


def test_a_user_needs_the_rights_that_the_documentation_names(
    server: RedisServer, make_stream: Callable[..., Stream]
) -> None:
    rights = "on >secret ~bvo:events +multi +exec +xadd"
    server.client.execute_command("ACL", "SETUSER", "bvo", *rights.split())
    make_stream(server.port, username="bvo", password="secret").add(walls(3))
    assert len(server.ids()) == 3


def wait_for(action: Callable[[], None]) -> None:
    """Do it as soon as the server is not left alone any more."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return action()
        except StreamFailed as failed:
            if "left alone" not in str(failed) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


# --- the worker


def test_a_server_that_was_away_for_a_day_misses_nothing_and_keeps_nobody_waiting(
    run: Callable[..., RedisServer],
    working: Callable[..., tuple[Flask, Worker]],
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, other, hour = run(), list[Event](), 0
    server.stop()
    accepts = {"wall.built"}.__contains__
    site.plug("others", webhook_emitters=[WebhookEmitter(name="other", deliver=other.extend, accepts=accepts)])
    _, worker = working(server.url, BVO_REDIS_STREAM_TYPES="wall.*")
    monkeypatch.setattr(observers, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + hour * 3600))
    for hour in range(0, 24, 2):
        happen("tower", after={"hour": hour})
        happen(f"fence {hour}")
        make_due()
        worker.step()
        assert [each.entity_name for each in other[-2:]] == ["tower", f"fence {hour}"]
    assert "Connection refused" in (db.session.scalar(query(HeldEvents.last_error)) or "")
    db.session.rollback()
    server.start()
    deadline = time.monotonic() + 60
    while len(server.ids()) < 24:
        assert time.monotonic() < deadline
        hour += 1
        make_due()
        worker.step()
    towers = [json.loads(entry["event"]) for entry in server.entries() if entry["subject"] == "wall/tower"]
    assert [told["data"]["entity"]["hour"] for told in towers] == list(range(0, 24, 2))
    assert sorted(server.ids()) == sorted(each.id for each in other)


def test_a_server_that_is_killed_now_and_then_has_every_event_and_those_of_an_entity_in_their_order(
    server: RedisServer, working: Callable[..., tuple[Flask, Worker]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `appendfsync always`, what it has acknowledged is on the disk."""
    hour = 0
    _, worker = working(server.url)
    monkeypatch.setattr(observers, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + hour * 3600))
    happened: list[Event] = []
    for hour in range(6):
        happened += [happen(f"tower {number % 3}") for number in range(40)]
        if hour % 2:
            server.stop(signal.SIGKILL)
        worker.step()
        if hour % 2:
            server.start()
    deadline = time.monotonic() + 60
    while len(set(server.ids())) < len(happened):
        assert time.monotonic() < deadline
        hour += 1
        make_due()
        worker.step()
    once = list({entry["id"]: entry["subject"] for entry in server.entries()}.items())
    for name in ("wall/tower 0", "wall/tower 1", "wall/tower 2"):
        order = [each.id for each in happened if f"wall/{each.entity_id}" == name]
        assert [told for told, subject in once if subject == name] == order


def test_what_happened_while_no_stream_was_configured_is_added_when_it_is_again(
    server: RedisServer,
    working: Callable[..., tuple[Flask, Worker]],
    make_app: Callable[..., Flask],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, worker = working(server.url)
    happened = [happen().id]
    worker.step()
    monkeypatch.delenv("BVO_REDIS_STREAM_URL")
    without = make_app()
    with without.app_context():
        happened.append(happen().id)
        Worker(without).step()
    assert server.ids() == happened[:1]
    _, worker = working(server.url)
    worker.step()
    assert server.ids() == happened


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of `localhost`, which is its own authority."""
    return make_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture(scope="module")
def other_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "other.pem")


@pytest.fixture
def encrypted(run: Callable[..., RedisServer], certificate: Path, other_certificate: Path) -> RedisServer:
    """A server that takes TLS alone, and only clients with the other certificate."""
    files = ("--tls-cert-file", certificate, "--tls-key-file", certificate, "--tls-ca-cert-file", other_certificate)
    own = {"ssl_certfile": str(other_certificate), "ssl_keyfile": str(other_certificate)}
    return run(*map(str, files), ssl=True, ssl_ca_certs=str(certificate), **own)


def test_both_sides_of_tls_know_each_other_by_their_certificates(
    encrypted: RedisServer, certificate: Path, other_certificate: Path, working: Callable[..., tuple[Flask, Worker]]
) -> None:
    files = f"ssl_ca_certs={certificate}&ssl_certfile={other_certificate}&ssl_keyfile={other_certificate}"
    _, worker = working(f"rediss://localhost:{encrypted.port}?{files}")
    happened = happen()
    worker.step()
    assert encrypted.ids() == [happened.id]


def test_a_server_that_is_not_the_one_that_was_named_gets_nothing(
    encrypted: RedisServer, certificate: Path, other_certificate: Path, make_stream: Callable[..., Stream]
) -> None:
    own = {"ssl_certfile": str(other_certificate), "ssl_keyfile": str(other_certificate)}
    for host, authority in (("127.0.0.1", certificate), ("localhost", other_certificate)):
        stream = make_stream(encrypted.port, host=host, ssl=True, ssl_ca_certs=str(authority), **own)
        with pytest.raises(StreamFailed, match="certificate verify failed"):
            stream.add([event()])
    stranger = make_stream(encrypted.port, ssl=True, ssl_ca_certs=str(certificate))
    with pytest.raises(StreamFailed, match=r"certificate required|closed by server|reset by peer|Broken pipe|EOF"):
        stranger.add([event()])
    assert encrypted.ids() == []


# --- the configuration


def test_without_a_server_there_is_no_emitter_and_nothing_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from bvo import create_app, registry; from bvo_hookspecs import WebhookEmitter\n"
        "with create_app({'BVO_DATA_DIR': sys.argv[1]}).app_context():\n"
        "    print('redis_stream' in registry.current().of(WebhookEmitter),"
        " {'redis', 'bvo_redis.stream'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False set()"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"URL": "http://host"}, "must begin with redis:// or rediss://. Use redis://USER:PASSWORD@HOST"),
        ({"URL": "host:6379"}, "must begin with redis:// or rediss://"),
        ({"URL": "redis://host:canary"}, "is no address"),
        ({"URL": "redis://anna:canary/1@host"}, "is no address"),
        ({"URL": "redis://[::1"}, "is no address"),
        ({"URL": "redis://:canary@"}, "must have a host"),
        ({"URL": "redis://anna:1#canary@host"}, "must have a host, and no #"),
        ({"URL": "redis://host/canary"}, "must have the number of a database behind the host, or none"),
        ({"URL": "redis://host/²"}, "must have the number of a database"),
        ({"URL": "redis://host?password=canary"}, "has files for TLS, and begins with redis://, not rediss://"),
        ({"URL": "rediss://host?password=canary"}, "may have ssl_ca_certs, ssl_certfile and ssl_keyfile behind `?`"),
        ({"URL": "rediss://host?ssl_cert_reqs=none"}, "may have ssl_ca_certs, ssl_certfile and ssl_keyfile behind"),
        ({"URL": "rediss://host?ssl_ca_certs=/none"}, "names /none as ssl_ca_certs, which has no certificates in PEM"),
        ({"URL": "rediss://host?ssl_keyfile=/none"}, "has ssl_keyfile without ssl_certfile: name the certificate"),
        ({"URL": "rediss://host?ssl_certfile=/none"}, "names /none as ssl_certfile, and nothing as ssl_keyfile"),
        (
            {"URL": "rediss://host?ssl_certfile={certificate}&ssl_keyfile={other}"},
            "They must be a certificate and its key in PEM",
        ),
        ({"URL_FILE": "/none"}, "BVO_REDIS_STREAM_URL_FILE points to /none, which can't be read"),
        (
            {"LENGTH": "many"},
            "BVO_REDIS_STREAM_LENGTH is 'many': use a whole number from 1 to 1000000000000, e.g. 100000.",
        ),
        ({"LENGTH": "0"}, "BVO_REDIS_STREAM_LENGTH is '0': use a whole number"),
        ({"TYPES": "job.*,robot"}, "BVO_REDIS_STREAM_TYPES has 'robot': use types such as job.completed, or patterns"),
    ],
)
def test_what_is_configured_wrongly_is_told_and_no_password(
    certificate: Path, other_certificate: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, str], told: str
) -> None:
    for name, value in ({"URL": "redis://:canary@localhost"} | values).items():
        value = value.format(certificate=certificate, other=other_certificate)
        monkeypatch.setenv(f"BVO_REDIS_STREAM_{name}", value)
    with pytest.raises(StartupError) as refused:
        configured()
    assert told in str(refused.value)
    assert "canary" not in str(refused.value)


def test_it_stops_the_start(sqlite_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVO_REDIS_STREAM_URL", "http://host")
    with pytest.raises(StartupError, match="BVO_REDIS_STREAM_URL must begin"):
        sqlite_app()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVO_REDIS_STREAM_URL", "redis://localhost")
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(StartupError, match=r"pip install 'bv-orchestrator\[redis\]'"):
        configured()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis.example.com", {"host": "redis.example.com", "port": 6379, "db": 0, "ssl": False}),
        ("redis://:p%40ss@localhost:1/2", {"port": 1, "db": 2, "username": None, "password": "p@ss"}),
        ("rediss://bvo:a%2Fb@[::1]", {"host": "::1", "username": "bvo", "password": "a/b", "ssl": True}),
    ],
)
def test_a_url_says_where_the_server_is_and_who_we_are(url: str, expected: dict[str, Any]) -> None:
    assert configuration._server(url).items() >= expected.items()


def test_the_url_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("redis://localhost\n")
    monkeypatch.setenv("BVO_REDIS_STREAM_URL_FILE", os.fspath(tmp_path / "url"))
    assert [emitter.name for emitter in configured()] == ["redis_stream"]
