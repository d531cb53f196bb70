"""Events of a wall, which no plugin has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update

from bvo import events, registry
from bvo.consumers import HeldEvents
from bvo.database import db, transaction, utcnow
from bvo.event_log import LoggedEvent, event_of
from bvo.plugins import CORE
from bvo_hookspecs import Event, EventType


def happen(name: str = "tower", **fields: Any) -> Event:
    fields = {"type": "wall.built", "entity_type": "wall", "entity_label": "Wall", "entity_id": name} | fields
    declare(fields["type"])
    return events.record(**{"entity_name": name, "message": f"Built {name}."} | fields)


def declare(name: str) -> None:
    """Let the running app know this type, as if a plugin had declared it."""
    known = registry.current().records[EventType]
    known.setdefault(name, [(CORE, EventType(name=name, action_type="created", help="Something was done to a wall."))])


def make_due() -> None:
    """Let the time pass until everything that is held for a consumer is due again."""
    with transaction() as session:
        session.execute(update(HeldEvents).values(available_at=utcnow()))


def logged() -> list[Event]:
    db.session.rollback()
    db.session.expire_all()
    return [event_of(row) for row in db.session.scalars(select(LoggedEvent).order_by(LoggedEvent.id))]


def event(**fields: Any) -> Event:
    """An event of a wall that is in no log."""
    told = {"id": "01978f3a-5c00-7000-8000-0123456789ab", "type": "wall.built", "action": "wall.build"}
    told |= {"action_type": "created", "actor_kind": "user", "actor_name": "anna", "message": "Built."}
    told |= {"entity_type": "wall", "entity_label": "Wall", "entity_id": "17", "entity_name": "tower"}
    moment = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
    return Event(**told | {"occurred_at": moment, "actor_id": 3} | fields)
