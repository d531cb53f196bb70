from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bvo_webhooks.addresses import may_reach, parse_networks

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::",
    "2001:4860:4860::8888",
    "2003::",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert may_reach(address, ())


@settings(max_examples=200, deadline=None)
@given(st.ip_addresses())
@example(IPv6Address("::ffff:8.8.8.8"))
@example(IPv6Address("64:ff9b::808:808"))
def test_no_address_may_be_reached_that_is_not_global(address: IPv4Address | IPv6Address) -> None:
    assert not may_reach(str(address), ()) or (address.is_global and not address.is_multicast)


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.20.0.0/16", ["10.20.0.0", "10.20.255.255", "::ffff:10.20.1.1"], ["10.19.255.255", "::ffff:10.21.0.0"]),
        ("127.0.0.1", ["127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1"], ["127.0.0.2", "::1", "::127.0.0.1"]),
        ("fd12::/16", ["fd12::1", "fd12:ffff::"], ["fd13::", "fc12::1"]),
        ("::1", ["::1"], ["::", "::2", "127.0.0.1"]),
        ("fe80::/10", ["fe80::1"], ["fe80::1%1", "fe80::1%eth0"]),
        ("64:ff9b::/96", ["64:ff9b::808:808"], ["64:ff9b:1::1", "64:ff9c::808:808"]),
    ],
)
def test_a_named_network_opens_itself_and_nothing_else(network: str, inside: list[str], outside: list[str]) -> None:
    allowed = parse_networks([network])
    assert all(may_reach(address, allowed) for address in inside)
    assert not any(may_reach(address, allowed) for address in outside)
    assert not any(may_reach(address, ()) for address in inside)


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "010.0.0.1", "1.1.1.1 ", "1.1.1.1/32"]
)
def test_what_is_not_the_plain_text_of_an_address_is_never_reached(text: str) -> None:
    assert not may_reach(text, parse_networks(["0.0.0.0/0", "::/0"]))


def test_networks_are_parsed_with_the_spaces_that_lists_have() -> None:
    networks = parse_networks(["10.0.0.0/8", " fd00::/8 ", "192.168.1.7", "10.0.0.0/255.0.0.0"])
    assert list(map(str, networks)) == ["10.0.0.0/8", "fd00::/8", "192.168.1.7/32", "10.0.0.0/8"]
    assert parse_networks([]) == ()


@pytest.mark.parametrize("text", ["", "intranet", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "fe80::%eth0/64", "::1/129"])
def test_what_is_not_a_network_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a network. Write it like 10\.20\.0\.0/16") as refusal:
        parse_networks(["10.0.0.0/8", text])
    assert text in str(refusal.value)
