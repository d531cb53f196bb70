"""Logging in and out, whatever proves the user: passwords today, and what a plugin adds."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta

from flask import g
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException
from jwt.exceptions import PyJWTError
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.wrappers import Response

from bvo_hookspecs import AuthProvider, Principal

from . import access, events, registry, session_store, session_tokens, settings, throttle
from .database import transaction
from .session_store import API, BROWSER, UserSession
from .session_tokens import Tokens
from .throttle import Counter

log = logging.getLogger(__name__)

PER_ACCOUNT = 100
"""So many failures in a row, wherever they come from, before an account waits, too (NIST SP 800-63B)."""

_LOCAL_PATH = re.compile(r"/(?!/)[^\\\x00-\x20\x7f]*")
"""Browsers read `//host`, `/\\host` and `/<tab>/host` as another site's address."""


class LoginRefused(Unauthorized):
    """Somebody is not let in, for a reason that they are told. `username` is who they are, where that is known."""

    def __init__(self, reason: str, username: str = "") -> None:
        super().__init__(reason)
        self.username = username


def log_in(username: str, password: str) -> Principal | None:
    """Ask the auth providers in turn; the first that knows the user decides. Success and failure are both audited.

    Raises TooManyRequests where this address, or everybody with this name, has failed too often.
    """
    address = access.address()
    pair, place = Counter("login", f"{username}\0{address}"), _place(address)
    account = Counter("login as", username, free=PER_ACCOUNT, forget=timedelta(days=30))
    throttle.attempt(pair, place, *([] if session_store.is_known(username, address) else [account]))
    found = _ask(username, password)
    if found:
        throttle.clear(pair, account)
        throttle.forgive(place)
    _record(found, username)
    return found


def log_in_by(provider: str, prove: Callable[[], Principal]) -> Principal:
    """Let an auth provider with a page of its own decide: `prove` returns who it is, or raises LoginRefused.

    Both are audited. Whatever else `prove` raises has decided nothing. Raises TooManyRequests as `log_in` does.
    """
    place = _place(access.address())
    throttle.attempt(place)
    try:
        found = prove()
    except LoginRefused as refused:
        _record(None, refused.username, provider=provider, reason=refused.description)
        raise
    except Exception:
        throttle.forgive(place)
        raise
    throttle.forgive(place)
    _record(found, found.name, provider=provider)
    return found


def local_path(wanted: str) -> str:
    """`wanted` where it is the path of a page of ours, to go to after a login; else nothing."""
    return wanted if _LOCAL_PATH.fullmatch(wanted) else ""


def issue(principal: Principal) -> Tokens:
    """An access token for a new session of an API client; it holds as long as the session."""
    return session_tokens.lasting(_begin(principal, API))


def issue_renewable(principal: Principal) -> Tokens:
    """A short-lived access token for a new session of an API client, and the refresh token that renews it."""
    started = _begin(principal, API)
    return session_tokens.renewable(started, started.refresh_jti)


def start(response: Response, principal: Principal) -> None:
    """Put the tokens of a new session into the cookies of `response`."""
    started = _begin(principal, BROWSER)
    session_tokens.set_cookies(response, session_tokens.renewable(started, started.refresh_jti))


def end(response: Response) -> None:
    """End the session of this request, remove it from the cookies of `response`, and record the logout."""
    ended = current()
    with transaction():
        if ended:
            session_store.end(ended)
        _record_end(access.principal())
    session_tokens.unset_cookies(response)


def current() -> UserSession | None:
    """The session by which this request was authenticated."""
    found: UserSession | None = g.get("user_session")
    return found


def authenticate() -> UserSession | None:
    """The session whose token this request bears, as Bearer header or in cookies. None where it bears none.

    An access token in a cookie that has expired is renewed on the way. Raises Unauthorized for what does not hold, and
    Forbidden for a form without the CSRF token.
    """
    try:
        claims = session_tokens.of_request()
    except CSRFError:
        raise Forbidden(
            "The form was not sent from this site, or is too old. Load the page again and repeat."
        ) from None
    except (JWTExtendedException, PyJWTError):
        raise Unauthorized("Your session has expired or is not valid. Log in again.") from None
    if claims is None:
        return None
    g.user_session = found = session_store.of_token(claims)
    session_store.touch(found)
    return found


def renew(refresh_token: str) -> Tokens:
    """New tokens for a refresh token, which works once. Raises Unauthorized; at a second use the session ends."""
    try:
        return session_tokens.renewed(refresh_token)
    except (JWTExtendedException, PyJWTError):
        raise Unauthorized("The refresh token has expired or is not valid. Log in again.") from None


def csrf_token() -> str:
    """What a form of this session sends as `csrf_token`, or htmx as `X-CSRF-TOKEN`; empty without a session."""
    found = current()
    return session_tokens.csrf_token(found.sid) if found else ""


def _begin(principal: Principal, kind: str) -> UserSession:
    return session_store.begin(principal, kind, timedelta(minutes=settings.get("security.session_minutes")))


def _place(address: str) -> Counter:
    return Counter("login from", address, forget=timedelta(minutes=5))


def _record(found: Principal | None, username: str, **metadata: str | None) -> None:
    actor = found or access.ANONYMOUS
    who = f' as "{username[:100]}"' if username else ""
    failed = f"Failed login{who}: {metadata['reason']}" if metadata.get("reason") else f"Failed login{who}."
    events.record(
        type="user.logged_in" if found else "user.login_failed",
        entity_type="user",
        entity_label="User",
        entity_id=str(found.id) if found else "",
        entity_name=found.name if found else username[:100],
        message=f"User {found.name} logged in." if found else failed,
        actor=actor,
        metadata=metadata,
    )


def _record_end(actor: Principal) -> None:
    events.record(
        type="user.logged_out",
        entity_type="user",
        entity_label="User",
        entity_id=str(actor.id),
        entity_name=actor.name,
        message=f"User {actor.name} logged out.",
    )


def _ask(username: str, password: str) -> Principal | None:
    for plugin, provider in registry.current().every(AuthProvider):
        if provider.login is None:
            continue
        try:
            if found := provider.login(username, password):
                return found
        except BaseException:
            log.exception("The auth provider %r of the plugin %r failed; it lets nobody in", provider.name, plugin.name)
    return None
