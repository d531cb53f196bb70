"""The login of a tool: started by the tool, confirmed by its user in a browser, its token handed out once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any

from flask import request, url_for
from marshmallow import fields
from sqlalchemy import delete, select
from werkzeug.exceptions import Conflict, NotFound

from bvo import access, events, session_store, tokens
from bvo.database import db, transaction, utcnow
from bvo.session_store import SDK
from bvo_access.models import User
from bvo_access.service import principal_of
from bvo_hookspecs import EventType

from . import tokens as sdk_tokens
from .models import CONFIRMED, DELIVERED, DENIED, PENDING, SdkSession

SESSION = timedelta(minutes=5)
TOKEN = timedelta(hours=1)
CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""Without vowels, so that no code is a word, and without what is easily misread."""

EVENT_TYPES = tuple(
    EventType(
        name=f"sdk_login.{decision}",
        action_type=action_type,
        help=words,
        metadata={"machine_name": fields.String(), "ip_address": fields.String(allow_none=True)},
    )
    for decision, action_type, words in (
        (CONFIRMED, "login", "A user let a tool act in their name."),
        (DENIED, "login_failed", "A user refused a tool that wanted to act in their name."),
    )
)


def start(machine_name: str, code_challenge: str | None) -> dict[str, Any]:
    """Begin a login. Each start has an id of its own, with 256 random bits; it is told to nobody else."""
    session_id, code = tokens.new("bvos"), "".join(secrets.choice(CODE_LETTERS) for _ in range(8))
    user_code = f"{code[:4]}-{code[4:]}"
    with transaction() as session:
        begun = SdkSession(
            session_hash=tokens.digest(session_id),
            machine_name=machine_name,
            user_code=user_code,
            code_challenge=code_challenge,
            ip_address=request.remote_addr,
            expires_at=utcnow() + SESSION,
        )
        session.add(begun)
    address = url_for("sdk_pages.confirm", session_id=session_id, _external=True)
    shown = {"session_id": session_id, "expires_at": begun.expires_at}
    return {**shown, "verification_url": address, "user_code": user_code}


def find(session_id: str) -> SdkSession:
    """A login that has not expired. Raises NotFound."""
    query = select(SdkSession).where(SdkSession.session_hash == tokens.digest(session_id))
    found = db.session.scalars(query).one_or_none()
    if found is None or found.expires_at < utcnow():
        raise NotFound("This login has expired or does not exist. Start it again from the tool.")
    return found


def confirm(session_id: str) -> None:
    """Let the tool act for the user who asks. Again by the same user it changes nothing. Raises NotFound, Conflict."""
    _decide(session_id, CONFIRMED)


def deny(session_id: str) -> None:
    """Refuse the tool. Raises NotFound, Conflict."""
    _decide(session_id, DENIED)


def status(session_id: str, verifier: str | None) -> dict[str, Any]:
    """How far the login is; the token once, then it is expired. A wrong verifier learns no more than `pending`."""
    with transaction() as session:
        try:
            found = find(session_id)
        except NotFound:
            return {"status": "expired"}
        if found.status in (DENIED, DELIVERED):
            return {"status": "expired"}
        if found.status == PENDING or not _proven(found, verifier):
            return {"status": "pending"}
        found.status = DELIVERED
        session.flush()
        return _delivered(session.get_one(User, found.user_id), found.machine_name)


def prune() -> None:
    """Remove the logins that ended more than a day ago."""
    with transaction() as session:
        session.execute(delete(SdkSession).where(SdkSession.expires_at < utcnow() - timedelta(days=1)))


def _decide(session_id: str, decision: str) -> None:
    user = access.principal()
    with transaction() as session:
        found = find(session_id)
        if (found.status, found.user_id) == (decision, user.id):
            return
        if found.status != PENDING:
            raise Conflict(f"This login is {found.status} already.")
        found.status, found.user_id = decision, user.id
        session.flush()
        events.record(
            type=f"sdk_login.{decision}",
            entity_type="sdk_login",
            entity_label="SDK login",
            entity_id=str(found.id),
            entity_name=found.machine_name,
            message=f'User {user.name} {decision} the SDK login of "{found.machine_name}".',
            metadata={"machine_name": found.machine_name, "ip_address": found.ip_address},
        )


def _proven(found: SdkSession, verifier: str | None) -> bool:
    if found.code_challenge is None:
        return True
    digest = hashlib.sha256((verifier or "").encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), found.code_challenge)


def _delivered(user: User, machine_name: str) -> dict[str, Any]:
    begun = session_store.begin(principal_of(user), SDK, TOKEN, client=machine_name)
    token = sdk_tokens.issue(begun)
    return {"status": "confirmed", "access_token": token, "expires_at": begun.expires_at, "user": user}
