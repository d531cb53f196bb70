"""The event log: a row for every event, in the transaction of its change. It is the audit log, and what is delivered.

Rows are added and, when they are old, removed; they never change.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import current_app
from sqlalchemy import BigInteger, ColumnElement, Index, Row, Table, Text, func, select, text
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Mapped, mapped_column

from bvo_hookspecs import Event

from .database import Base, BigId, Json, db

ORDER = ("timestamp", "id")
OF_USERS = text("actor_user_id IS NOT NULL")
USERS = ("user", "token", "sdk")
"""Kinds of actors whose id is that of a user."""
LOOK_SECONDS = 0.005
HORIZON_SECONDS = 0.1
"""So long a reader waits for transactions to end that may have older events."""


class LoggedEvent(Base):
    """One event. `id` is its place in the log; `actor_user_id` is no foreign key: the log outlives what it tells of.

    Each index has the order of the audit log's list, so that a filter, a range of time and the order come from one of
    them. Those of users and entity types also have what is mostly asked beside them, so that such events are found
    without a read of the rows, which lie far apart.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_time", *ORDER),
        Index("ix_events_username", "actor_username", *ORDER, "action_type", "action", "entity_type"),
        Index(
            "ix_events_user_id",
            *("actor_user_id", *ORDER, "action_type", "action", "entity_type"),
            postgresql_where=OF_USERS,
            sqlite_where=OF_USERS,
        ),
        Index("ix_events_action", "action", *ORDER),
        Index("ix_events_action_type", "action_type", *ORDER),
        Index("ix_events_entity_type", "entity_type", *ORDER, "action_type", "action"),
        Index("ix_events_entity_id", "entity_id", "entity_type", *ORDER),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event_id: Mapped[str]
    type: Mapped[str]
    timestamp: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[int | None]
    actor_user_id: Mapped[int | None]
    actor_username: Mapped[str]
    ip_address: Mapped[str | None]
    user_agent: Mapped[str | None]
    action: Mapped[str]
    action_type: Mapped[str]
    entity_type: Mapped[str]
    entity_display: Mapped[str]
    entity_id: Mapped[str]
    entity_name: Mapped[str]
    message: Mapped[str]
    before_data: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after_data: Mapped[dict[str, Any] | None] = mapped_column(Json)
    details: Mapped[dict[str, Any] | None] = mapped_column(Json)


TABLE = cast(Table, LoggedEvent.__table__)


def row(event: Event) -> dict[str, Any]:
    """The event's row, without its place in the log."""
    return {
        "event_id": event.id,
        "type": event.type,
        "timestamp": event.occurred_at,
        "actor_kind": event.actor_kind,
        "actor_id": event.actor_id,
        "actor_user_id": event.actor_id if event.actor_kind in USERS else None,
        "actor_username": event.actor_name,
        "ip_address": event.ip_address,
        "user_agent": event.user_agent,
        "action": event.action,
        "action_type": event.action_type,
        "entity_type": event.entity_type,
        "entity_display": event.entity_label,
        "entity_id": event.entity_id,
        "entity_name": event.entity_name,
        "message": event.message,
        "before_data": event.before,
        "after_data": event.after,
        "details": event.metadata or None,
    }


def event_of(row: LoggedEvent | Row[Any]) -> Event:
    """The event that a row tells of."""
    return Event(
        id=row.event_id,
        type=row.type,
        occurred_at=row.timestamp,
        actor_kind=row.actor_kind,
        actor_id=row.actor_id,
        actor_name=row.actor_username,
        ip_address=row.ip_address,
        user_agent=row.user_agent,
        action=row.action,
        action_type=row.action_type,
        entity_type=row.entity_type,
        entity_label=row.entity_display,
        entity_id=row.entity_id,
        entity_name=row.entity_name,
        message=row.message,
        before=row.before_data,
        after=row.after_data,
        metadata=row.details or {},
        place=row.id,
    )


@dataclass(frozen=True)
class Stretch:
    """The wanted events of a part of the log. `end` is how far it goes, over `length` events."""

    events: list[Event]
    end: int
    length: int


def follow(after: int, until: int, wants: Callable[[str], bool], *, most: int, look: int) -> Stretch:
    """What comes behind the place `after`: the first `most` events whose types are wanted, out of `look` at most."""
    types = select(LoggedEvent.id, LoggedEvent.type).where(LoggedEvent.id > after, LoggedEvent.id <= until)
    seen = db.session.execute(types.order_by(LoggedEvent.id).limit(look)).all()
    wanted = [row.id for row in seen if wants(row.type)]
    if len(wanted) > most:
        seen = [row for row in seen if row.id <= wanted[most - 1]]
    end = seen[-1].id if seen else after
    return Stretch(read(LoggedEvent.id.in_(wanted[:most]), limit=most), end, len(seen))


def read(*where: ColumnElement[bool], limit: int) -> list[Event]:
    """The first events that fit."""
    rows = db.session.execute(select(*TABLE.c).where(*where).order_by(LoggedEvent.id).limit(limit))
    return [event_of(row) for row in rows]


class Horizon:
    """How far the log can be read without missing an event: none will appear at or before `place` any more.

    PostgreSQL numbers events when they are written, and shows them when they are committed, which may be in another
    order. So what is seen now is known to be all of it once every transaction has ended that has begun to write by now:
    each has its number as a transaction before its events get theirs (the default of the column `id` sees to it).
    Which ones these are is known by a number that is taken after the look: they have lower ones. (A snapshot's `xmax`
    does not tell: beyond it, too, transactions may be running.) SQLite has one writer.
    """

    def __init__(self) -> None:
        self.place = 0
        self._seen: tuple[int, int] | None = None
        """The newest event at the last look, and the number of the transaction that was taken after it."""

    def look(self, seconds: float = 0) -> int:
        """The place, after it was moved on as soon as that can be done within this time."""
        until, before = time.monotonic() + seconds, self.place
        while self._has_more() and self.place == before and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        return self.place

    def _has_more(self) -> bool:
        """Move on where that can be done; True where events are seen behind the place."""
        self._move_on()
        newest = db.session.scalar(select(func.coalesce(func.max(LoggedEvent.id), 0))) or 0
        if self._seen is None and newest > self.place:
            self._seen = (newest, _transaction(func.pg_current_xact_id()))
            self._move_on()
        db.session.rollback()
        return self._seen is not None

    def _move_on(self) -> None:
        """To what was seen, where all have ended that may have written before."""
        seen = self._seen  # of this look: other threads look, too
        if seen and _transaction(func.pg_snapshot_xmin(func.pg_current_snapshot())) >= seen[1]:
            self.place, self._seen = max(self.place, seen[0]), None


def horizon() -> Horizon:
    """The one of this app: what one look has seen helps the next one."""
    found: Horizon = current_app.extensions.setdefault("bvo_events_horizon", Horizon())
    return found


def _transaction(number: Any) -> int:
    """A transaction's number, asked in a transaction of its own; 0 where there is one writer."""
    if db.engine.dialect.name != "postgresql":
        return 0
    db.session.rollback()
    found: int = db.session.execute(select(sql_cast(sql_cast(number, Text), BigInteger))).scalar_one()
    db.session.rollback()
    return found
