"""Tokens of developers' tools: their own type, audience and key, so that nothing else mistakes them for a login."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import jwt
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Request

from bvo import registry, session_store
from bvo.session_store import UserSession
from bvo_access.service import load_principal
from bvo_hookspecs import Principal

TYPE, AUDIENCE, ALGORITHM = "sdk+jwt", "bvo-sdk", "HS256"
ALLOWED = frozenset({"assets:view", "queues:view", "queue_items:create"})
"""What a tool may do at most, of what its user may."""


def issue(of: UserSession) -> str:
    """A token for the tool of this session's user; it ends with the session."""
    claims = {"sub": str(of.user_id), "sid": of.sid, "aud": AUDIENCE, "exp": of.expires_at, "auth_type": "sdk"}
    return jwt.encode(claims, _key(), ALGORITHM, headers={"typ": TYPE})


def authenticate(request: Request) -> Principal | None:
    """The tool of a user. Raises Unauthorized for a token of this type that does not hold."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or _type_of(token) != TYPE:
        return None
    try:
        claims: dict[str, Any] = jwt.decode(
            token, _key(), [ALGORITHM], audience=AUDIENCE, options={"require": ["exp", "sub"]}
        )
    except jwt.PyJWTError:
        raise Unauthorized("The SDK token has expired or is not valid. Log in again.") from None
    used = session_store.of_token(claims)
    session_store.touch(used)
    user = load_principal(used.user_id)
    if user is None:
        raise Unauthorized("The user of this SDK token does not exist any more, or is disabled.")
    allowed = frozenset(permission for permission in ALLOWED if user.can(permission))
    return Principal(kind="sdk", id=user.id, name=user.name, permissions=allowed)


def _type_of(token: str) -> str | None:
    try:
        return jwt.get_unverified_header(token).get("typ")
    except jwt.PyJWTError:
        return None


def _key() -> bytes:
    return hmac.digest(registry.current().config.secret_key.encode(), b"sdk tokens", hashlib.sha256)
