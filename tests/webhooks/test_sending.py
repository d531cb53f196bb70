"""Real servers, well-behaved and not: what comes back, and for how long they can hold whoever sends."""

from __future__ import annotations

import gzip
import socket
import threading
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
from standardwebhooks import Webhook

from bvo_webhooks import signing
from bvo_webhooks.addresses import parse_networks
from bvo_webhooks.sending import Answer, Failed, post
from webhooks.conftest import Connections, Listeners, Resolver
from webhooks.receiver import Receiver, Script, drips, floods, resets, response, sends, sends_and_closes

Receive = Callable[..., Receiver]
Serve = Callable[[Script], Receiver]
LOOPBACK = parse_networks(["127.0.0.0/8", "::1"])
SECRET = "s3cret"
Result = TypeVar("Result")
SOON = 0.5
"""Seconds in which a server that hangs is given up here."""
EVER = 60.0


def ask(receiver: Receiver | str, body: bytes = b"{}", seconds: float = EVER) -> Answer:
    url = receiver if isinstance(receiver, str) else receiver.url()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {SECRET}"}
    return post(f"{url}?token={SECRET}", body, headers, LOOPBACK, total_seconds=seconds)


def failure(receiver: Receiver | str, body: bytes = b"{}", seconds: float = EVER) -> str:
    """How asking fails: in words that have no secret, nor have those of the errors behind it."""
    with pytest.raises(Failed) as failed:
        ask(receiver, body, seconds)
    assert SECRET not in "".join(traceback.format_exception(failed.value))
    return str(failed.value)


def at_once(ask: Callable[[Receiver], Result], receivers: Iterable[Receiver]) -> list[Result]:
    """Asks them all at the same time, so that their waits take the time of one."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(ask, receivers))


@pytest.fixture(params=["http", "https"])
def serve(request: pytest.FixtureRequest, receive: Receive) -> Serve:
    """Starts a server that does as the script says, with and without TLS."""
    certificate = request.getfixturevalue("trusted") if request.param == "https" else None
    return lambda script: receive(script, certificate=certificate)


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 400, 410, 429, 500, 503])
def test_every_status_is_an_answer(serve: Serve, status: int) -> None:
    body = b"" if status == 204 else b"some words"
    answer = ask(serve(sends(response(status, body, "Retry-After: 120", "Location: http://elsewhere.example/"))))
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (status, body.decode(), "120")
    assert 0 < answer.milliseconds < EVER * 1_000


def test_what_is_sent_is_one_plain_request(receive: Receive) -> None:
    receiver = receive(sends(response()))
    post(receiver.url(path="/hook/a%20b?x=1"), b'{"a": 1}', {"X-Event": "job.failed", "HOST": "other"}, LOOPBACK)
    (request,) = receiver.requests
    assert request.line == "POST /hook/a%20b?x=1 HTTP/1.1"
    assert request.body == b'{"a": 1}'
    assert request.headers == {
        "x-event": "job.failed",
        "host": f"127.0.0.1:{receiver.port}",
        "content-length": "8",
        "accept-encoding": "identity",
        "connection": "close",
    }


def test_a_receiver_can_check_the_signature_of_what_arrives(serve: Serve) -> None:
    receiver, secret, body = serve(sends(response())), signing.new_secret(), '{"name": "prüfen"}'.encode()
    headers = signing.headers("msg_1", datetime.now(UTC), body, [signing.new_secret(), secret])
    post(receiver.url(), body, headers, LOOPBACK)
    assert Webhook(secret).verify(receiver.requests[0].body, receiver.requests[0].headers) == {"name": "prüfen"}


def test_a_large_body_is_sent_whole(serve: Serve) -> None:
    receiver, body = serve(sends(response())), bytes(range(256)) * 8_192
    ask(receiver, body)
    assert receiver.requests[0].body == body


def test_the_surroundings_take_no_part(receive: Receive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    proxy = receive(sends(response(502)))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url())
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login operator password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    receiver = receive(sends(response(200, b"", "Set-Cookie: a=b")))
    for _ in range(2):
        assert post(receiver.url(), b"{}", {}, LOOPBACK).status == 200
    assert proxy.connections == 0
    assert receiver.connections == 2
    assert not {"authorization", "cookie"} & {name for request in receiver.requests for name in request.headers}


# --- where it goes ---------------------------------------------------------------------------------------------------


def test_a_host_that_has_ipv6_alone_is_reached(receive: Receive, resolver: Resolver) -> None:
    receiver = receive(sends(response()), "::1")
    resolver.names["six.example"] = [["::1"]]
    assert ask(receiver).status == ask(receiver.url("six.example")).status == 200
    hosts = [request.headers["host"] for request in receiver.requests]
    assert hosts == [f"[::1]:{receiver.port}", f"six.example:{receiver.port}"]


def test_the_next_address_is_tried_where_one_takes_no_connection(
    receive: Receive, resolver: Resolver, connections: Connections
) -> None:
    receiver = receive(sends(response()))
    resolver.names["two.example"] = [["127.0.0.2", "127.0.0.1"]]
    assert ask(receiver.url("two.example")).status == 200
    assert connections.tried == ["127.0.0.2", "127.0.0.1"]
    assert resolver.lookups == ["two.example"]


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        place = f"127.0.0.1 port {bound.getsockname()[1]}"
        assert failure(f"http://{place.replace(' port ', ':')}/") == (
            f"{place} can't be reached (Connection refused). Check that it is up, and the firewalls on the way."
        )


def test_a_name_that_nobody_has(resolver: Resolver) -> None:
    message = failure("http://nobody.example/")
    assert message.startswith("The host nobody.example could not be resolved (")
    assert message.endswith("). Check how it is spelled, and the DNS of this server.")


def test_a_resolver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait())
    assert "could not be resolved (no answer in time)" in failure("http://slow.example/", seconds=SOON)
    released.set()


def test_an_address_that_takes_no_connection_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address, waiting = full.getsockname(), []
        with suppress(TimeoutError):
            while True:
                waiting.append(socket.create_connection(address, timeout=SOON))
        with pytest.raises(Failed, match=r"can't be reached \(no answer in time\)"):
            post(f"http://127.0.0.1:{address[1]}/", b"{}", {}, LOOPBACK, connect_seconds=SOON)
        for client in waiting:
            client.close()


# --- TLS -------------------------------------------------------------------------------------------------------------


def test_the_certificate_is_checked_for_the_hosts_name(receive: Receive, trusted: Path, resolver: Resolver) -> None:
    receiver = receive(sends(response()), certificate=trusted)
    resolver.names["other.example"] = [["127.0.0.1"]]
    assert ask(receiver).status == 200
    assert "Hostname mismatch, certificate is not valid for 'other.example'" in failure(receiver.url("other.example"))
    assert "IP address mismatch, certificate is not valid for '127.0.0.1'" in failure(receiver.url("127.0.0.1"))
    assert receiver.names == ["localhost", "other.example", None]
    assert len(receiver.requests) == 1


def test_an_authority_that_nobody_trusts_is_refused(receive: Receive, certificate: Path) -> None:
    receiver = receive(sends(response()), certificate=certificate)
    message = failure(receiver)
    assert message == (
        f"The certificate of localhost port {receiver.port} is not valid here: self-signed certificate. Correct it,"
        " or add its authority to those that this server trusts (SSL_CERT_FILE)."
    )
    assert receiver.requests == []


def test_a_server_without_tls_is_not_asked_over_https() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_answer_without_tls, args=(listener,))
        serving.start()
        message = failure(f"https://127.0.0.1:{listener.getsockname()[1]}/")
        serving.join()
    assert message.endswith("did not agree on TLS (WRONG_VERSION_NUMBER). Check the port, and https against http.")


def _answer_without_tls(listener: socket.socket) -> None:
    with listener.accept()[0] as connection, suppress(OSError):
        connection.recv(65_536)
        connection.sendall(response(400))
        connection.recv(1)  # until the client hangs up


# --- answers that are none -------------------------------------------------------------------------------------------


def test_servers_that_hang_before_their_headers_end_are_given_up(serve: Serve) -> None:
    scripts = [
        sends(b""),
        sends(b"HTTP/1.1 200"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/pl"),
        drips(b"HTTP/1.1 200 OK\r\nX-A: ", b"b"),
        drips(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ]
    for message in at_once(lambda receiver: failure(receiver, seconds=SOON), map(serve, scripts)):
        assert f"did not answer within {SOON:g} seconds. Let it answer first" in message


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_reads_nothing_is_given_up(listeners: Listeners, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{listeners.port}/"
    assert f"did not answer within {SOON:g} seconds" in failure(url, bytes(30_000_000), SOON)
    for accepted in listeners.accepted():
        accepted.close()


@pytest.mark.parametrize("script", [resets, sends_and_closes(b"")], ids=["reset", "closed"])
def test_a_connection_that_ends_without_an_answer(serve: Serve, script: Script) -> None:
    assert "closed the connection without an answer. Look into its log." in failure(serve(script))


@pytest.mark.parametrize(
    "script",
    [
        sends(b"SSH-2.0-OpenSSH_9.2\r\n"),
        sends(b"HTTP/1.1 abc OK\r\n\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n"),
        sends(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1_000 + b"\r\n"),
        sends(b"HTTP/1.1 200 OK\r\n" + (b"X-A: " + b"b" * 1_000 + b"\r\n") * 90 + b"\r\n"),
        floods(b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 10_000),
        floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000),
    ],
    ids=["ssh", "no status", "long header", "many headers", "much in headers", "endless header", "endless 100"],
)
def test_what_is_not_http_or_too_much_is_no_answer(serve: Serve, script: Script) -> None:
    assert "answered, but not in HTTP, or with headers that are too long. Check the port." in failure(serve(script))


# --- answers with odd bodies -----------------------------------------------------------------------------------------


OK = b"HTTP/1.1 200 OK\r\n"


def test_a_status_counts_where_the_body_does_not_end_before_the_deadline(serve: Serve) -> None:
    scripts = [
        sends(OK + b"Content-Length: 100\r\n\r\nsome"),
        sends(OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"),
        sends(OK + b"\r\nsome"),
        drips(OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n", b"0"),
        drips(OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n0\r\n", b"X-A: b\r\n"),
        drips(OK + b"\r\nsome", b"\n"),
    ]
    for answer in at_once(lambda receiver: ask(receiver, seconds=4 * SOON), map(serve, scripts)):
        assert (answer.status, answer.body.strip()) == (200, "some")


@pytest.mark.parametrize(
    "script",
    [
        sends_and_closes(OK + b"Content-Length: 100\r\n\r\nsome"),
        sends_and_closes(OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\nxyz\r\n"),
    ],
    ids=["closed", "not a chunk"],
)
def test_a_status_counts_where_the_body_breaks_off(serve: Serve, script: Script) -> None:
    answer = ask(serve(script))
    assert (answer.status, answer.body) == (200, "some")


@pytest.mark.parametrize(
    "script",
    [
        floods(OK + b"\r\n", b"x" * 10_000),
        floods(OK + b"Content-Length: 99999999999\r\n\r\n", b"x" * 10_000),
        floods(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1_000),
        floods(OK + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", b"x" * 10_000),
        sends(OK + b"Transfer-Encoding: chunked\r\n\r\nfa0\r\n" + b"x" * 4_000 + b"\r\n"),
    ],
    ids=["no length", "length", "tiny chunks", "huge chunk", "all that is read, and no more"],
)
def test_of_an_endless_body_the_beginning_is_read(serve: Serve, script: Script) -> None:
    answer = ask(serve(script))
    assert answer.body == "x" * 1_000
    assert answer.milliseconds < EVER * 1_000


def test_a_decompression_bomb_stays_as_it_is(serve: Serve) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    answer = ask(serve(sends(response(200, bomb, "Content-Encoding: gzip"))))
    assert answer.status == 200
    assert len(answer.body) <= 1_000
    assert "\0" not in answer.body


def test_the_body_and_headers_are_safe_to_keep_and_show(serve: Serve) -> None:
    body = b"caf\xe9 \xff\x00\x1b[31m\r\nline\ttab " + "prüfen \u202e\u200b\N{GRINNING FACE}".encode()
    answer = ask(serve(sends(response(200, body, "X-A: \x1b[31m", "X-B: 1", "X-B:  2", "X-C: a\r\n b"))))
    assert answer.body == "caf\ufffd \ufffd\\x00\\x1b[31m\nline\ttab prüfen \\u202e\\u200b\N{GRINNING FACE}"
    assert (answer.headers["x-a"], answer.headers["x-b"], answer.headers["x-c"]) == ("\\x1b[31m", "1, 2", "a b")
