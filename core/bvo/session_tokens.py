"""The two signed tokens of a session: one that holds for minutes, and one that renews it, a new one each time.

A browser has them in HttpOnly cookies, and its forms send the CSRF token beside them; API clients get them as text.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from flask import Flask, current_app, g, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    decode_token,
    set_access_cookies,
    set_refresh_cookies,
    unset_jwt_cookies,
)
from flask_jwt_extended.exceptions import CSRFError
from jwt.exceptions import PyJWTError
from werkzeug.wrappers import Response

from . import bodies, registry, session_store, settings
from .config import Config
from .database import utcnow
from .session_store import LEEWAY, UserSession


@dataclass(frozen=True)
class Tokens:
    """What a client holds of a session; `expires_in` is the access token's rest in seconds.

    `refresh` is None where the session can't be renewed, or where another request has the new token already.
    """

    access: str
    refresh: str | None
    expires_in: int


def init_app(app: Flask, config: Config) -> None:
    """Set up the tokens. In production the cookies are bound to this host and to HTTPS."""
    prefix = "" if config.development else "__Host-"
    app.config.update(
        JWT_SECRET_KEY=config.secret_key,
        JWT_CSRF_IN_COOKIES=False,  # pages have it in their forms
        JWT_COOKIE_SAMESITE="Lax",
        JWT_COOKIE_SECURE=not config.development,
        JWT_ACCESS_COOKIE_NAME=f"{prefix}bvo_session",
        JWT_REFRESH_COOKIE_NAME=f"{prefix}bvo_refresh",
    )
    JWTManager(app)
    app.after_request(_send_renewed)


def lasting(of: UserSession) -> Tokens:
    """An access token alone, for as long as the session holds: for clients that can't renew one."""
    return _encoded(of, of.expires_at - utcnow(), None)


def renewable(of: UserSession, jti: str | None) -> Tokens:
    """A short-lived access token, and the refresh token with this id."""
    rest = of.expires_at - utcnow()
    short = timedelta(minutes=settings.get("security.access_token_minutes"))
    refresh = jti and create_refresh_token(
        str(of.user_id), expires_delta=rest, additional_claims={"sid": of.sid, "jti": jti}
    )
    return _encoded(of, min(short, rest), refresh or None)


def renewed(refresh_token: str, *, sid: object = None, leeway: timedelta = timedelta(0)) -> Tokens:
    """New tokens for a refresh token, which must be that of the session `sid` where this is given.

    Raises Unauthorized, and what the libraries raise for a bad token.
    """
    claims = _claims(refresh_token, "refresh")
    if sid not in (None, claims["sid"]):
        raise PyJWTError("the refresh token of another session")
    used = session_store.of_token(claims)
    return renewable(used, session_store.rotate(used, str(claims["jti"]), leeway))


def of_request() -> dict[str, Any] | None:
    """The claims of the access token in the Bearer header, else in the cookie; None where there is neither."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _claims(token, "access")
    cookie = _cookie("ACCESS")
    return _of_browser(cookie) if cookie else None


def set_cookies(response: Response, tokens: Tokens) -> None:
    """Put the tokens into cookies, which stay as long as a session may: the expired one says what is to be renewed."""
    seconds = 60 * settings.get("security.session_minutes")
    set_access_cookies(response, tokens.access, max_age=seconds)  # type: ignore[arg-type]
    if tokens.refresh:
        set_refresh_cookies(response, tokens.refresh, max_age=seconds)  # type: ignore[arg-type]


def unset_cookies(response: Response) -> None:
    g.pop("renewed_tokens", None)
    unset_jwt_cookies(response)  # type: ignore[arg-type]


def csrf_token(sid: object) -> str:
    """The CSRF token of a session; one for all of it, so that a form survives that the tokens are renewed."""
    key = registry.current().config.secret_key.encode()
    return hmac.digest(key, f"csrf {sid}".encode(), hashlib.sha256).hex()


def _of_browser(cookie: str) -> dict[str, Any]:
    claims = _claims(cookie, "access", allow_expired=True)
    if request.method in current_app.config["JWT_CSRF_METHODS"]:
        bodies.raise_limit()  # a form's token stands in its body
        sent = request.headers.get("X-CSRF-TOKEN") or request.form.get("csrf_token") or ""
        if not hmac.compare_digest(sent.encode(errors="replace"), csrf_token(claims["sid"]).encode()):
            raise CSRFError
    if claims["exp"] <= utcnow().timestamp():
        g.renewed_tokens = renewed(_cookie("REFRESH"), sid=claims["sid"], leeway=LEEWAY)
    return claims


def _cookie(kind: str) -> str:
    return request.cookies.get(current_app.config[f"JWT_{kind}_COOKIE_NAME"]) or ""


def _claims(token: str, kind: str, *, allow_expired: bool = False) -> dict[str, Any]:
    claims = cast(dict[str, Any], decode_token(token, allow_expired=allow_expired))
    if claims["type"] != kind or "sid" not in claims:
        raise PyJWTError(f"not a token of the type {kind}")
    return claims


def _encoded(of: UserSession, lifetime: timedelta, refresh: str | None) -> Tokens:
    access = create_access_token(str(of.user_id), expires_delta=lifetime, additional_claims={"sid": of.sid})
    return Tokens(access, refresh, int(lifetime.total_seconds()))


def _send_renewed(response: Response) -> Response:
    if tokens := g.pop("renewed_tokens", None):
        set_cookies(response, tokens)
    return response
