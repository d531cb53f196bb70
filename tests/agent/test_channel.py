"""The port between a script and its runner, as others on the machine may use it."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading

import pytest

from bvo_agent import channel as module
from bvo_agent.channel import AT_ONCE, REQUEST_BYTES, Channel


@pytest.fixture
def asked():
    return []


@pytest.fixture
def file(tmp_path):
    return tmp_path / "channel.json"


@pytest.fixture
def channel(asked, file):
    def asset(name, ended):
        asked.append(name)
        return {"value": name}

    with Channel(file, asset) as running:
        yield running


def way_of(file):
    way = json.loads(file.read_text())
    return way["port"], way["token"]


def connected(file):
    return socket.create_connection(("127.0.0.1", way_of(file)[0]), 10)


def send(file, line):
    with connected(file) as connection:
        connection.sendall(line)
        with connection.makefile("rb") as answer:
            return json.loads(answer.readline())


def request(file, **fields):
    fields = {"token": way_of(file)[1], "request": "asset", "name": "a", **fields}
    return json.dumps(fields).encode() + b"\n"


@pytest.mark.usefixtures("channel")
def test_an_asset_is_answered_in_one_line(file, asked):
    assert send(file, request(file, name="ü/x")) == {"value": "ü/x"}
    assert asked == ["ü/x"]


@pytest.mark.usefixtures("channel")
@pytest.mark.parametrize("token", ["", "x" * 43, None, 7, ["a"], "\ud800", "ü"])
def test_another_token_gets_nothing(file, asked, token):
    assert "token" in send(file, request(file, token=token))["error"]
    assert asked == []


@pytest.mark.usefixtures("channel")
@pytest.mark.parametrize(
    "change", [{"request": "parameters"}, {"request": None}, {"name": None}, {"name": 1}, {"name": "\ud800"}]
)
def test_a_request_that_it_does_not_know_gets_nothing(file, asked, change):
    assert "does not know" in send(file, request(file, **change))["error"]
    assert asked == []


@pytest.mark.usefixtures("channel")
@pytest.mark.parametrize(
    "line",
    [b"\n", b"{oops\n", b"[]\n", b"\xff\xfe\n", b"[" * 8000 + b"\n", b"GET / HTTP/1.1\r\n\r\n", b"7\n"],
    ids=["empty", "broken", "list", "bytes", "deep", "HTTP", "number"],
)
def test_what_is_no_request_is_refused_and_the_next_one_is_answered(file, asked, line):
    assert "error" in send(file, line)
    assert send(file, request(file)) == {"value": "a"}
    assert asked == ["a"]


@pytest.mark.usefixtures("channel")
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_request_that_is_too_large_is_refused_at_once(file, asked, monkeypatch, end):
    monkeypatch.setattr(module, "REQUEST_SECONDS", 60)
    with connected(file) as connection:
        try:
            connection.sendall(request(file, name="x" * REQUEST_BYTES).rstrip() + end)
            answer = connection.recv(1000)
        except ConnectionError:
            answer = b"error"  # it does not read the rest
    assert b"error" in answer
    assert asked == []


@pytest.mark.usefixtures("channel")
def test_clients_that_say_nothing_hold_nobody_up_for_long(file, asked, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.2)
    silent = [connected(file) for _ in range(2 * AT_ONCE)]
    assert send(file, request(file)) == {"value": "a"}
    for connection in silent:
        connection.close()


def test_a_request_does_not_wait_for_another(file):
    both = threading.Barrier(2, timeout=10)

    def asset(name, ended):
        both.wait()
        return {"value": name}

    answers = []
    with Channel(file, asset):
        threads = [threading.Thread(target=lambda: answers.append(send(file, request(file)))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [{"value": "a"}] * 2


@pytest.mark.usefixtures("channel")
def test_a_client_that_leaves_breaks_nothing(file, asked):
    for _ in range(5):
        connected(file).close()
        with connected(file) as connection:
            connection.sendall(request(file)[:10])
    assert send(file, request(file)) == {"value": "a"}


@pytest.mark.usefixtures("channel")
def test_an_error_of_the_runner_ends_the_connection_only(file, channel, monkeypatch):
    monkeypatch.setattr(channel, "_asset", lambda name, ended: 1 / 0)
    with connected(file) as connection:
        connection.sendall(request(file))
        assert connection.recv(100) == b""
    monkeypatch.undo()
    assert send(file, request(file)) == {"value": "a"}


def test_after_its_end_nobody_listens_and_no_thread_is_left(file, asked):
    before = set(threading.enumerate())
    with Channel(file, lambda name, ended: {}):
        assert send(file, request(file)) == {}
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionError):
        connected(file)


@pytest.mark.usefixtures("channel")
def test_a_request_that_arrives_when_the_job_has_ended_gets_nothing(file, channel, asked):
    channel._ended.set()
    assert send(file, request(file)) == {"error": "The job has ended."}
    assert asked == []


def test_the_end_tells_a_request_that_is_under_way_and_waits_for_it(file):
    entered, seen = threading.Event(), []

    def asset(name, ended):
        entered.set()
        seen.append(ended.wait(10))
        return {}

    with Channel(file, asset), connected(file) as connection:
        connection.sendall(request(file))
        assert entered.wait(10)
        assert seen == []
    assert seen == [True]


@pytest.mark.usefixtures("channel")
def test_the_token_is_for_this_user_and_this_machine_only(file, channel):
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert channel._server.server_address[0] == "127.0.0.1"
    assert len(way_of(file)[1]) >= 43
    with Channel(file, lambda name, ended: {}):
        other = way_of(file)
    assert other[1] != channel._token
