"""Events of a wall, which no plugin has."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bvo import events
from bvo.database import db
from bvo.event_log import LoggedEvent, event_of
from bvo_hookspecs import Event


def happen(name: str = "tower", **fields: Any) -> Event:
    return events.record(
        **{"type": "wall.built", "action": "wall.build", "action_type": "created", "entity_type": "wall"}
        | {"entity_label": "Wall", "entity_id": name, "entity_name": name, "message": f"Built {name}."}
        | fields
    )


def logged() -> list[Event]:
    db.session.rollback()
    db.session.expire_all()
    return [event_of(row) for row in db.session.scalars(select(LoggedEvent).order_by(LoggedEvent.id))]
