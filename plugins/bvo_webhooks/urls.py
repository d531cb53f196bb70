"""URLs that webhooks are sent to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import SplitResult, urlsplit

URL_LENGTH = 2_000
PORTS = {"http": 80, "https": 443}

_AUTHORITY = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^][:@%]+))(?::(?P<port>[0-9]{0,5}))?")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True)
class Target:
    """A URL, taken apart. Messages name its `place` alone: paths and queries may hold secrets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        return f"{self.host} port {self.port}"

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str) -> Target:
    """The URL, taken apart. Raises ValueError, which says what to change, for what is no URL to send to."""
    if len(url) > URL_LENGTH:
        raise ValueError(f"Use a URL of at most {URL_LENGTH:,} characters.")
    if re.search(r"[\s\x00-\x20\x7f\\]", url):
        raise ValueError("Take spaces, line breaks and backslashes out of the URL, or write them percent-encoded.")
    if "#" in url:
        raise ValueError("Take # and what follows it out of the URL: it is never sent.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("Correct the host of the URL: write it like https://example.com/path.") from None
    if parts.scheme not in PORTS:
        raise ValueError("Begin the URL with https:// or http://.")
    if "@" in parts.netloc:
        raise ValueError("Take the user name and password out of the URL: receivers check the signature instead.")
    host, port = _host_and_port(parts)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise ValueError("Write all characters behind the host that are not ASCII percent-encoded.")
    return Target(parts.scheme, host, port, path)


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    found = _AUTHORITY.fullmatch(parts.netloc)
    if found is None:
        raise ValueError("Name a host in the URL, like https://example.com/path or https://[2a00:1450::1]:8443/path.")
    port = int(found["port"] or PORTS[parts.scheme])
    if not 1 <= port <= 65_535:
        raise ValueError("Use a port from 1 to 65535.")
    return _ipv6(found["ipv6"]) if found["ipv6"] else _name(found["name"]), port


def _ipv6(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        raise ValueError("Correct the IPv6 address in the URL: write it like [2a00:1450::1].") from None


def _name(text: str) -> str:
    """A host name in its ASCII form, or an IPv4 address in whatever spelling the resolver takes."""
    host = _to_ascii(text).lower()
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise ValueError("Correct the host name in the URL: letters, digits and hyphens, single dots between them.")
    return host


def _to_ascii(text: str) -> str:
    if text.isascii():
        return text
    import idna  # its tables take time to load, and few need them

    try:
        return idna.encode(text, uts46=True).decode()
    except idna.IDNAError:
        raise ValueError("Correct the host name in the URL: it has characters that no domain may have.") from None
