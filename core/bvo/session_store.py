"""The sessions of users: a row for each login, checked at every request, so that ending one takes effect at once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import has_request_context, request
from sqlalchemy import Index, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.exceptions import Unauthorized

from bvo_hookspecs import Principal

from . import access, events
from .database import Base, BigId, db, transaction, utcnow

KINDS = BROWSER, API, SDK = "browser", "api", "sdk"
LEEWAY = timedelta(seconds=30)
"""For so long a browser may show the refresh token before last: its tabs send requests side by side."""
ENDED = "This session was ended. Log in again."
TOUCH = timedelta(minutes=5)
"""`last_used_at` is kept this exactly: writing it at every request would cost more than anyone reads from it."""


class UserSession(Base):
    """One login. `sid` is what its tokens name; `refresh_jti` is the one refresh token that still works."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_user_id", "user_id", "id"),
        Index("ix_sessions_username", "username", "ip_address"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sid: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    user_id: Mapped[int]
    username: Mapped[str]
    client: Mapped[str | None]
    ip_address: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    last_used_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    refresh_jti: Mapped[str | None]
    previous_jti: Mapped[str | None]
    rotated_at: Mapped[datetime | None]

    current = False

    @property
    def name(self) -> str:
        return f"{self.username}, {self.kind}"


def begin(principal: Principal, kind: str, lifetime: timedelta, client: str | None = None) -> UserSession:
    """Store a new session of this user; `client` says where it is used, by default the browser's name for itself."""
    started = UserSession(
        sid=uuid.uuid4().hex,
        kind=kind,
        user_id=principal.id,
        username=principal.name,
        client=client or (request.user_agent.string if has_request_context() else None) or None,
        ip_address=access.address() or None,
        expires_at=utcnow() + lifetime,
        refresh_jti=_new_jti(),
    )
    with transaction() as session:
        session.add(started)
    return started


def of_token(claims: Mapping[str, Any]) -> UserSession:
    """The session that a token's claims `sid` and `sub` name. Raises Unauthorized where it was ended."""
    query = select(UserSession).where(UserSession.sid == str(claims.get("sid")))
    found = db.session.scalars(query).one_or_none()
    if found is None or str(found.user_id) != str(claims.get("sub")) or found.expires_at < utcnow():
        raise Unauthorized(ENDED)
    db.session.expunge(found)  # a value from here on: another request may end the session at any time
    return found


def touch(used: UserSession) -> None:
    """Remember that the session is in use."""
    now = utcnow()
    if now - used.last_used_at > TOUCH:
        with transaction() as session:
            stale = UserSession.last_used_at < now - TOUCH
            session.execute(update(UserSession).where(UserSession.id == used.id, stale).values(last_used_at=now))


def rotate(used: UserSession, jti: str, leeway: timedelta = timedelta(0)) -> str | None:
    """Make the refresh token `jti` invalid and return the id of its successor.

    None where `jti` was replaced less than `leeway` ago: another request has the successor. Raises Unauthorized for a
    token that was used before: somebody has a copy, so the session is ended, for both of them.
    """
    now, successor = utcnow(), _new_jti()
    mine = UserSession.id == used.id
    values = {"refresh_jti": successor, "previous_jti": jti, "rotated_at": now, "last_used_at": now}
    with transaction() as session:
        if session.scalar(
            update(UserSession).where(mine, UserSession.refresh_jti == jti).values(values).returning(UserSession.id)
        ):
            return successor
        recent = (UserSession.previous_jti == jti, UserSession.rotated_at > now - leeway)
        if leeway and session.scalar(select(UserSession.id).where(mine, *recent)) is not None:
            return None
        if session.scalar(delete(UserSession).where(mine).returning(UserSession.id)) is None:
            raise Unauthorized(ENDED)
        _record_reuse(used)
    raise Unauthorized("This refresh token was used before, so its session was ended. Log in again.")


def end(ended: UserSession) -> None:
    """End a session, in the running transaction or one of its own. It may have ended already."""
    with transaction() as session:
        session.execute(delete(UserSession).where(UserSession.id == ended.id))


def end_all(user_id: int) -> None:
    """End the sessions of a user, in the running transaction or one of its own."""
    with transaction() as session:
        session.execute(delete(UserSession).where(UserSession.user_id == user_id))


def is_known(username: str, address: str | None) -> bool:
    """True where a session of this user began at this address and still holds."""
    query = select(UserSession.id).where(UserSession.username == username, UserSession.ip_address == address)
    return db.session.scalar(query.where(UserSession.expires_at > utcnow()).limit(1)) is not None


def prune() -> None:
    """Remove the sessions that have expired."""
    with transaction() as session:
        session.execute(delete(UserSession).where(UserSession.expires_at < utcnow()))


def _new_jti() -> str:
    return uuid.uuid4().hex


def _record_reuse(ended: UserSession) -> None:
    events.record(
        type="session.reuse_detected",
        entity_type="session",
        entity_label="Session",
        entity_id=str(ended.id),
        entity_name=ended.name,
        message=f"A refresh token of {ended.username} was used twice, so its session was ended.",
    )
