"""What the environment says of the provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bvo.access import is_loopback
from bvo.config import environment, require
from bvo.errors import StartupError


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """`roles` are pairs of a group at the provider and the name of a role here; empty: groups are not looked at."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    label: str
    scopes: str
    groups_claim: str
    roles: tuple[tuple[str, str], ...]


def load() -> Configuration | None:
    """Read the environment; None where it names no issuer. Raises StartupError."""
    issuer = environment.text("BVO_OIDC_ISSUER")
    if not issuer:
        return None
    if not is_safe(issuer):
        raise StartupError(
            f"BVO_OIDC_ISSUER is {issuer!r}: use an address like https://login.example.com/realms/main."
            " One with http:// must be a loopback address."
        )
    require("authlib", extra="oidc", by="BVO_OIDC_ISSUER")
    return Configuration(
        issuer=issuer,
        client_id=_required("BVO_OIDC_CLIENT_ID", environment.text("BVO_OIDC_CLIENT_ID")),
        client_secret=_required("BVO_OIDC_CLIENT_SECRET", environment.secret("BVO_OIDC_CLIENT_SECRET")),
        label=environment.text("BVO_OIDC_LABEL", urlsplit(issuer).netloc),
        scopes=_scopes(environment.text("BVO_OIDC_SCOPES", "openid profile email")),
        groups_claim=environment.text("BVO_OIDC_GROUPS_CLAIM", "groups"),
        roles=_roles(environment.text("BVO_OIDC_ROLES")),
    )


def is_safe(url: object) -> bool:
    """True for an address of HTTPS, or of HTTP on this machine."""
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _is_here(host or "")))


def _is_here(host: str) -> bool:
    return host == "localhost" or is_loopback(host)


def _required(name: str, value: str) -> str:
    if not value:
        raise StartupError(f"{name} is not set. Register a client at the provider that BVO_OIDC_ISSUER names.")
    return value


def _scopes(text: str) -> str:
    if "openid" not in text.split():
        raise StartupError(f"BVO_OIDC_SCOPES is {text!r}: name openid among them, e.g. openid profile email groups.")
    return " ".join(text.split())


def _roles(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(_pair(part) for part in text.split(",") if part.strip())


def _pair(text: str) -> tuple[str, str]:
    group, _, role = (part.strip() for part in text.rpartition("="))
    if not (group and role):
        raise StartupError(
            f"BVO_OIDC_ROLES has {text.strip()!r}: use group=role, with commas between them,"
            " e.g. bvo-admins=Administrator,bvo-ops=Operator."
        )
    return group, role
