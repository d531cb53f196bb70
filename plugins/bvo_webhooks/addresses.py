"""Which addresses a webhook may reach: public ones, and those of networks that operators have named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is given out. Outside are ULA, link-local, multicast, IPv4-mapped, NAT64 and whatever comes."""

SPECIAL = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # public in form, but Azure answers there with the configuration of the machine that asks
        "169.254.0.0/16",  # link-local, and the metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112, an anycast sink
        "192.52.193.0/24",  # AMT, a tunnel
        "192.88.99.0/24",  # 6to4 relays, a tunnel
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112, an anycast sink
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, a tunnel to any IPv4 address
        "2620:4f:8000::/48",  # AS112, an anycast sink
        "3fff::/20",  # documentation
    )
)
"""IANA's registries of special-purpose addresses, within `GLOBAL_UNICAST`. `ipaddress.is_global` differs by Python."""


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks like 10.20.0.0/16, fd12:3456::/32, or one address. Raises ValueError, which says what to write."""
    return tuple(_network(text.strip()) for text in texts)


def may_reach(address: str, allowed: Sequence[Network]) -> bool:
    """True for a public address and for one in `allowed`, where an IPv4 network has its IPv4-mapped form, too.

    False for whatever is not the plain text of an address.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if "%" in address:  # a zone: it means something on this machine alone
        return False
    return _is_public(parsed) or any(form in network for form in _forms(parsed) for network in allowed)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if address.version == 6 and address not in GLOBAL_UNICAST:
        return False
    return not any(address in network for network in SPECIAL)


def _forms(address: IPv4Address | IPv6Address) -> set[IPv4Address | IPv6Address]:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return {address, mapped or address}


def _network(text: str) -> Network:
    try:
        if "%" not in text:
            return ip_network(text)
    except ValueError:
        pass
    raise ValueError(
        f"{text or 'An empty text'} is not a network. Write it like 10.20.0.0/16 or fd12:3456::/32, with no bits set"
        " behind the prefix, or write a single address like 10.20.30.40."
    )
