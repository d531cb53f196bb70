"""A sign-in that is under way, in a cookie: only the browser in which it began can end it."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field

from flask import request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from bvo import registry

MAX_SECONDS = 600
LONGEST_NEXT = 2000
"""A cookie has 4096 bytes. Whoever wanted a page with a longer address comes to the dashboard."""


def _random() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """`next` is the page that was wanted; the other three are secrets between this browser and us."""

    next: str
    state: str = field(default_factory=_random)
    nonce: str = field(default_factory=_random)
    verifier: str = field(default_factory=_random)


def begin(wanted: str) -> Attempt:
    return Attempt(next=wanted if len(wanted) <= LONGEST_NEXT else "")


def keep(response: Response, attempt: Attempt) -> None:
    """Put the attempt into a signed cookie, which comes along when the provider sends the browser back."""
    value = _serializer().dumps(asdict(attempt))
    response.set_cookie(_name(), value, max_age=MAX_SECONDS, secure=_secure(), httponly=True, samesite="Lax")


def of_request() -> Attempt | None:
    """The attempt that this browser has begun; None where it has not, or took too long."""
    try:
        return Attempt(**_serializer().loads(request.cookies.get(_name(), ""), max_age=MAX_SECONDS))
    except (BadData, TypeError):
        return None


def forget(response: Response) -> None:
    response.delete_cookie(_name(), secure=_secure(), httponly=True, samesite="Lax")


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(registry.current().config.secret_key, salt="oidc attempt")


def _name() -> str:
    """With this prefix, browsers bind a cookie to this host and to HTTPS."""
    return "__Host-bvo_oidc" if _secure() else "bvo_oidc"


def _secure() -> bool:
    return not registry.current().config.development
