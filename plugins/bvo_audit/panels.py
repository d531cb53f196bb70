"""An event's panels: who did what to what, and what changed by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bvo.database import db
from bvo.event_log import USERS, LoggedEvent
from bvo_hookspecs import DetailPanel

NOISE = ("updated_at",)
"""Fields that change with every change."""


@dataclass(frozen=True)
class Field:
    """A field before and after; `was` and `is_` are whether it was there at all."""

    name: str
    before: Any
    after: Any
    was: bool
    is_: bool

    @property
    def changed(self) -> bool:
        return self.was != self.is_ or self.before != self.after


def compare(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Field]:
    """Every field of the two, in the order in which the row has them. Of a change, `before` has what it changed."""
    old, new = before or {}, after or {}
    if before is not None and after is not None:
        old = {**new, **old}
    names = [*new, *(name for name in old if name not in new)]
    return [Field(name, old.get(name), new.get(name), name in old, name in new) for name in names]


def event_panel(event_id: int) -> dict[str, Any]:
    event = db.session.get_one(LoggedEvent, event_id)
    is_row = event.entity_id.isdigit() and event.after_data is not None
    return {
        "event": event,
        "actor_type": "robot" if event.actor_kind == "robot" else "user",
        "actor_id": event.actor_user_id if event.actor_kind in USERS else None,
        "entity_id": int(event.entity_id) if is_row else None,
    }


def changes_panel(event_id: int) -> dict[str, Any]:
    event = db.session.get_one(LoggedEvent, event_id)
    fields = compare(event.before_data, event.after_data)
    changed = [field for field in fields if field.changed and field.name not in NOISE]
    if event.before_data is None or event.after_data is None:  # made or gone: what it was made of
        changed = [field for field in changed if (field.after if field.is_ else field.before) not in (None, "", [], {})]
    return {
        "event": event,
        "changed": changed,
        "others": [field for field in fields if field not in changed],
        "hidden": not fields,
    }


PANELS = (
    DetailPanel(
        name="event",
        entity_type="audit_event",
        title="What happened",
        template="bvo_audit/event_panel.html",
        context=event_panel,
        order=10,
        covers=(
            *("message", "timestamp", "actor_username", "actor_kind", "actor_user_id", "action", "action_type"),
            *("entity_type", "entity_display", "entity_id", "entity_name", "ip_address", "user_agent"),
        ),
    ),
    DetailPanel(
        name="changes",
        entity_type="audit_event",
        title="What changed",
        template="bvo_audit/changes_panel.html",
        context=changes_panel,
        order=20,
        covers=("before_data", "after_data"),
    ),
)
