"""Events of a wall, which no plugin has."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bvo import events, registry
from bvo.database import db
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


def logged() -> list[Event]:
    db.session.rollback()
    db.session.expire_all()
    return [event_of(row) for row in db.session.scalars(select(LoggedEvent).order_by(LoggedEvent.id))]
