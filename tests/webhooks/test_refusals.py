"""What must not be asked is not connected: real sockets listen, and every connection that is tried is recorded."""

# ruff: noqa: RUF001, S104 - odd spellings of addresses are what these tests are about
from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from bvo_webhooks.addresses import parse_networks
from bvo_webhooks.sending import Failed, Refused, post
from bvo_webhooks.urls import parse
from webhooks.conftest import Connections, Listeners, Resolver
from webhooks.receiver import Receiver, response, sends

LOOPBACK_IPV6 = ["[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0.0.0.1]"]
LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.00.00.01",
    "0177.0.0.1",
    "0177.1",
    "0x7f.0.0.1",
    "0X7F.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "localhost",
    "LocalHost",
    "１２７.０.０.１",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "127.0.0.1\u200b",
    "ｌｏｃａｌｈｏｓｔ",
    "ⓛⓞⓒⓐⓛhost",
    "[::ffff:127.0.0.1]",
    "[::FFFF:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    *LOOPBACK_IPV6,
]
"""Spellings that lead to loopback."""
IPV4 = [
    "127.0.0.2",
    "127.255.255.254",
    "0",
    "0x0",
    "00.0",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "10.1",
    "0xa.1",
    "012.0.0.1",
    "167772161",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.43518",
    "0xa9.0xfe.0xa9.0xfe",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "2852039166",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.257",
    "0xc0a80001",
    "3232235521",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "0xffffffff",
    "4294967295",
]
IPV6 = [
    "::",
    "0::0",
    "::ffff:0.0.0.0",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "::127.0.0.1",
    "::7f00:1",
    "::10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "64:ff9b:1:ffff::a00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:c0a8:101::c0a8:101",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff:ffff::1",
    "fe80::1",
    "fe80::7f00:1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
URLS = [
    "",
    "127.0.0.1:PORT",
    "//127.0.0.1:PORT/",
    "http:127.0.0.1:PORT",
    "http:/127.0.0.1:PORT/",
    "http:///127.0.0.1:PORT/",
    "http://",
    "http://:PORT/",
    "http://?127.0.0.1:PORT",
    "ftp://127.0.0.1:PORT/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_POST",
    "http+unix://127.0.0.1:PORT/",
    "javascript:fetch('http://127.0.0.1:PORT')",
    "http://good.example@127.0.0.1:PORT/",
    "http://good.example:80@127.0.0.1:PORT/",
    "http://good.example%40127.0.0.1:PORT/",
    "http://127.0.0.1:PORT@good.example/",
    "http://@127.0.0.1:PORT/",
    "http://:@127.0.0.1:PORT/",
    "http://good.example\\@127.0.0.1:PORT/",
    "http:\\\\127.0.0.1:PORT\\",
    "http://127.0.0.1:PORT\\.good.example/",
    "http://127.0.0.1:PORT/\t",
    "http://127.0\t.0.1:PORT/",
    "http://127.0.0\r\n.1:PORT/",
    "ht\ntp://127.0.0.1:PORT/",
    " http://127.0.0.1:PORT/",
    "http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: good.example",
    "http://127.0.0.1 :PORT/",
    "http://127.0.0.1\u00a0:PORT/",
    "http://127.0.0.1\u3000/",
    "http://127.0.0.1\x00.good.example:PORT/",
    "http://%31%32%37.0.0.1:PORT/",
    "http://127%2e0%2e0%2e1:PORT/",
    "http://localhost%00.good.example:PORT/",
    "http://localhost.:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://127.0.0.1..:PORT/",
    "http://127。0。0。1。:PORT/",
    "http://.127.0.0.1:PORT/",
    "http://127..0.0.1:PORT/",
    "http://127.0.0.1;good.example:PORT/",
    "http://127.0.0.1,good.example:PORT/",
    "http://127.0.0.1&good.example:PORT/",
    "http://127.0.0.1:PORT#@good.example/",
    "http://good.example#@127.0.0.1:PORT/",
    "http://127.0.0.1／good.example:PORT/",
    "http://good.example＠127.0.0.1:PORT/",
    "http://127.0.0.1：PORT/",
    "http://-127.0.0.1:PORT/",
    "http://+127.0.0.1:PORT/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:65536/",
    "http://127.0.0.1:99999999999/",
    "http://127.0.0.1:-PORT/",
    "http://127.0.0.1:0xPORT/",
    "http://127.0.0.1:８０/",
    "http://127.0.0.1:PORT:PORT/",
    "http://::1/",
    "http://::1:PORT/",
    "http://[::1/",
    "http://::1]:PORT/",
    "http://[::1]good.example:PORT/",
    "http://good.example[::1]:PORT/",
    "http://[[::1]]:PORT/",
    "http://[]:PORT/",
    "http://[127.0.0.1]:PORT/",
    "http://[localhost]:PORT/",
    "http://[v1.127.0.0.1]:PORT/",
    "http://[::1%25lo]:PORT/",
    "http://[::1%lo]:PORT/",
    "http://[fe80::1%25eth0]:PORT/",
    "http://[：：1]:PORT/",
    "http://" + "a" * 64 + ".example:PORT/",
    "http://" + "a." * 127 + "example:PORT/",
    "http://127.0.0.1:PORT/prüfen",
    "http://127.0.0.1:PORT/" + "a" * 2_000,
]
"""URLs that are refused for their form."""
PUBLIC = "93.184.215.14"


@pytest.fixture(autouse=True)
def _no_connection(listeners: Listeners, connections: Connections, resolver: Resolver) -> None:
    """Whatever these tests try is recorded, and no DNS is asked."""


def refusal(url: str, allowed: tuple[str, ...] = ()) -> str:
    """How sending to the URL is refused."""
    with pytest.raises(Refused) as refused:
        post(url, b"{}", {}, parse_networks(allowed))
    return str(refused.value)


@pytest.mark.parametrize("host", [*LOOPBACK, *IPV4, *(f"[{address}]" for address in IPV6)])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_spelling_of_an_address_that_is_not_public_is_connected(
    host: str, scheme: str, listeners: Listeners, connections: Connections
) -> None:
    url = f"{scheme}://{host}:{listeners.port}/hook?token=s3cret"
    parse(url)
    message = refusal(url)
    assert "is not a public address. Name its network in the setting security.webhook_allowed_networks" in message
    assert "s3cret" not in message
    assert connections.tried == []
    assert listeners.accepted() == []


@pytest.mark.parametrize("url", URLS)
def test_no_url_of_a_wrong_form_is_connected_whatever_is_allowed(
    url: str, listeners: Listeners, connections: Connections
) -> None:
    url = url.replace("PORT", str(listeners.port))
    message = refusal(url, ("0.0.0.0/0", "::/0"))
    assert message.endswith(".")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse(url)
    assert connections.tried == []
    assert listeners.accepted() == []


@pytest.mark.parametrize("host", LOOPBACK)
def test_each_of_these_spellings_does_lead_to_loopback_once_that_is_allowed(
    host: str, connections: Connections, receive: Callable[..., Receiver]
) -> None:
    receiver = receive(sends(response()), "::1" if host in LOOPBACK_IPV6 else "127.0.0.1")
    assert post(receiver.url(host), b"{}", {}, parse_networks(["127.0.0.1", "::1"])).status == 200
    assert len(connections.tried) == receiver.connections == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1"])
def test_a_name_that_leads_to_an_address_that_is_not_public_is_refused_with_that_address(
    address: str, listeners: Listeners, connections: Connections, resolver: Resolver
) -> None:
    resolver.names["hooks.example"] = [[address]]
    message = refusal(f"https://hooks.example:{listeners.port}/")
    assert message.startswith(
        f"hooks.example has the address {address}, which is not a public address. Name its network"
    )
    assert connections.tried == []
    assert listeners.accepted() == []


@pytest.mark.parametrize("addresses", [[PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, "::1"]], ids=str)
def test_a_name_with_one_such_address_is_refused_though_others_are_public(
    addresses: list[str], listeners: Listeners, connections: Connections, resolver: Resolver
) -> None:
    resolver.names["hooks.example"] = [addresses]
    refusal(f"http://hooks.example:{listeners.port}/")
    assert connections.tried == []
    assert listeners.accepted() == []


def test_a_name_that_changes_its_address_after_the_check_wins_nothing(
    listeners: Listeners, connections: Connections, resolver: Resolver
) -> None:
    resolver.names["rebinding.example"] = [[PUBLIC], ["127.0.0.1"]]
    with pytest.raises(Failed, match="can't be reached"):
        post(f"http://rebinding.example:{listeners.port}/", b"{}", {}, ())
    assert resolver.lookups == ["rebinding.example"]
    assert connections.tried == [PUBLIC]
    refusal(f"http://rebinding.example:{listeners.port}/")
    assert connections.tried == [PUBLIC]
    assert listeners.accepted() == []


def test_nothing_is_sent_where_the_connection_goes_elsewhere(
    listeners: Listeners, connections: Connections, resolver: Resolver
) -> None:
    resolver.names["hooks.example"] = [[PUBLIC]]
    connections.instead = ("127.0.0.1", listeners.port)
    with pytest.raises(Failed, match="connected to another address"):
        post(f"http://hooks.example:{listeners.port}/", b"{}", {}, ())
    (accepted,) = listeners.accepted()
    with accepted:
        accepted.setblocking(True)
        assert accepted.recv(1) == b""


@pytest.mark.parametrize("target", ["http://127.0.0.1:PORT/", "http://[::1]:PORT/", "//127.0.0.1:PORT/"])
def test_a_redirect_is_an_answer_and_leads_nowhere(
    target: str, listeners: Listeners, connections: Connections, receive: Callable[..., Receiver]
) -> None:
    target = target.replace("PORT", str(listeners.port))
    receiver = receive(sends(response(302, b"", f"Location: {target}")))
    answer = post(receiver.url(), b"{}", {}, parse_networks(["127.0.0.0/8", "::1"]))
    assert (answer.status, answer.headers["location"]) == (302, target)
    assert len(connections.tried) == 1
    assert listeners.accepted() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "b\r\nX-C: d"},
        {"X-A": "b\n c"},
        {"X-A\r\nX-C": "d"},
        {"X A": "b"},
        {"X-A:X-B": "c"},
        {"": "b"},
        {"X-A": "b\x00"},
        {"X-A": "\N{EURO SIGN} s3cret"},
        {"X-Ä": "b"},
    ],
    ids=str,
)
def test_headers_that_would_smuggle_others_in_are_refused(
    headers: dict[str, str], listeners: Listeners, connections: Connections
) -> None:
    with pytest.raises(Refused, match="Correct the headers") as refused:
        post(f"http://127.0.0.1:{listeners.port}/", b"{}", headers, parse_networks(["127.0.0.1"]))
    assert "s3cret" not in str(refused.value)
    assert connections.tried == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com/hooks?a=b&c=%20",
        "HTTPS://Example.COM:8443/",
        "https://bücher.example/",
        "https://xn--bcher-kva.example/",
        "https://my_service.internal/",
        "https://[2a00:1450:4001:82a::200e]:8443/hook",
        "http://10.0.0.1:/",
    ],
)
def test_a_form_takes_urls_that_can_be_sent_to(url: str) -> None:
    parse(url)
