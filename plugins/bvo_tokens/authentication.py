"""The principal behind an API token, and when the token was used last."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Request

from bvo import tokens
from bvo.database import db, transaction, utcnow
from bvo_access.service import load_principal
from bvo_hookspecs import Principal

from .models import ApiToken
from .service import KIND

log = logging.getLogger(__name__)

NOTED_EVERY = timedelta(minutes=1)
"""A token that is used all the time costs no more than one write in this time."""


def authenticate(request: Request) -> Principal | None:
    """What a Bearer token of ours may do of what its user may. Raises Unauthorized for one that does not hold."""
    sent = request.authorization
    token = sent.token if sent and sent.type == "bearer" else None
    if not token or not token.startswith(f"{KIND}_"):
        return None
    found = _find(token)
    user = load_principal(found.user_id)
    if user is None:
        raise Unauthorized("The user of this API token is disabled. Ask an administrator.")
    _note_use(found.id, found.last_used_at, request.remote_addr)
    allowed = frozenset(scope for scope in found.scopes if user.can(scope))
    return Principal(kind="token", id=user.id, name=user.name, permissions=allowed)


def _find(token: str) -> Any:
    query = select(ApiToken.id, ApiToken.user_id, ApiToken.scopes, ApiToken.expires_at, ApiToken.last_used_at).where(
        ApiToken.token_hash == tokens.digest(token)
    )
    found = db.session.execute(query).one_or_none()
    if found is None:
        raise Unauthorized("This API token is not valid: it was revoked, or never made here. Ask for a new one.")
    if found.expires_at <= utcnow():
        raise Unauthorized("This API token has expired. Ask for a new one.")
    return found


def _note_use(token_id: int, last_used_at: datetime | None, address: str | None) -> None:
    """Keep when and from where, for people; nothing depends on it, so no request fails for it."""
    now = utcnow()
    before = now - NOTED_EVERY
    if last_used_at is not None and last_used_at > before:
        return
    stale = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= before)
    statement = update(ApiToken).where(ApiToken.id == token_id, stale)
    try:
        with transaction() as session:
            session.execute(
                statement.values(last_used_at=now, last_used_ip=address),
                execution_options={"synchronize_session": False},
            )
    except SQLAlchemyError:
        log.warning("The use of the API token %d could not be noted", token_id, exc_info=True)
