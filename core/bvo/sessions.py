"""Logging in and out, whatever proves the user: passwords today, and what a plugin adds.

The session is a signed token in an HttpOnly cookie; forms send the CSRF token beside it (double submit).
"""

from __future__ import annotations

import logging
from datetime import timedelta

from flask import Flask, current_app, request
from flask_jwt_extended import JWTManager, create_access_token, get_csrf_token, set_access_cookies, unset_jwt_cookies
from jwt.exceptions import PyJWTError
from werkzeug.wrappers import Response

from bvo_hookspecs import AuthProvider, Principal

from . import access, events, registry, settings
from .config import Config

log = logging.getLogger(__name__)

GENERATION = "gen"
"""The claim of a token that says to which of its user's generations it belongs."""


def init_app(app: Flask, config: Config) -> None:
    """Set up the tokens. In production the cookie is bound to this host and to HTTPS."""
    app.config.update(
        JWT_SECRET_KEY=config.secret_key,
        JWT_TOKEN_LOCATION=["cookies"],
        JWT_CSRF_CHECK_FORM=True,
        JWT_COOKIE_SAMESITE="Lax",
        JWT_COOKIE_SECURE=not config.development,
        JWT_ACCESS_COOKIE_NAME="bvo_session" if config.development else "__Host-bvo_session",
    )
    JWTManager(app)


def log_in(username: str, password: str) -> Principal | None:
    """Ask the auth providers in turn; the first that knows the user decides. Success and failure are both audited."""
    found = _ask(username, password)
    actor = found or access.ANONYMOUS
    words = f"User {found.name} logged in." if found else f'Failed login as "{username[:100]}".'
    events.record(
        type="user.logged_in" if found else "user.login_failed",
        action="auth.login" if found else "auth.login_failed",
        action_type="login" if found else "login_failed",
        entity_type="user",
        entity_label="User",
        entity_id=str(found.id) if found else "",
        entity_name=found.name if found else username[:100],
        message=words,
        actor=actor,
    )
    return found


def issue(principal: Principal) -> str:
    """An access token for a user; it holds for `security.session_minutes`."""
    lifetime = timedelta(minutes=settings.get("security.session_minutes"))
    claims = {GENERATION: principal.generation}
    token: str = create_access_token(str(principal.id), expires_delta=lifetime, additional_claims=claims)
    return token


def start(response: Response, principal: Principal) -> None:
    """Put the session into the cookies of `response`."""
    set_access_cookies(response, issue(principal), max_age=60 * settings.get("security.session_minutes"))  # type: ignore[arg-type]


def end(response: Response) -> None:
    """Remove the session from the cookies of `response`, and record the logout."""
    actor = access.principal()
    events.record(
        type="user.logged_out",
        action="auth.logout",
        action_type="logout",
        entity_type="user",
        entity_label="User",
        entity_id=str(actor.id),
        entity_name=actor.name,
        message=f"User {actor.name} logged out.",
    )
    unset_jwt_cookies(response)  # type: ignore[arg-type]


def csrf_token() -> str:
    """What a form of this session sends as `csrf_token`, or htmx as `X-CSRF-TOKEN`; empty without a session."""
    cookie = request.cookies.get(current_app.config["JWT_ACCESS_COOKIE_NAME"])
    try:
        return get_csrf_token(cookie) if cookie else ""
    except PyJWTError:
        return ""  # an expired session, or one of another server


def _ask(username: str, password: str) -> Principal | None:
    for plugin, provider in registry.current().every(AuthProvider):
        if provider.login is None:
            continue
        try:
            if found := provider.login(username, password):
                return found
        except Exception:
            log.exception("The auth provider %r of the plugin %r failed; it lets nobody in", provider.name, plugin.name)
    return None
