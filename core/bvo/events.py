"""Events: what a service changed, written to the event log in the transaction of the change itself."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any

import blinker
from flask import has_request_context, request
from sqlalchemy import insert

from bvo_hookspecs import EntityType, Event, EventType, Principal

from . import access, event_log, registry
from .database import after_commit, transaction, utcnow
from .dumps import dumper
from .event_types import CHANGES

log = logging.getLogger(__name__)

MASK = "***"
committed: blinker.NamedSignal = blinker.signal("bvo.event")
"""Sent in the process that made a change, after its commit, with the `Event` as `event`."""


def snapshot(entity: EntityType, row: Any) -> dict[str, Any]:
    """The row as the API shows it, with secrets masked: what audit and events may hold of it."""
    shown = dumper(entity.read_schema)(row)
    return {name: MASK if name in entity.secrets and value is not None else value for name, value in shown.items()}


def emit(
    kind: str,
    entity: EntityType,
    row: Any,
    *,
    before: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    message: str = "",
) -> Event:
    """Record `<entity>.<kind>` of `row` in the running transaction; kind is a past tense: `created`, `canceled`.

    `message` is a sentence for people; left out, it says what was done by whom.
    """
    after = None if kind == "deleted" else snapshot(entity, row)
    told = words(kind, entity, row, access.principal())
    told["message"] = message or told["message"]
    return record(type=f"{entity.name}.{kind}", **told, before=before, after=after, metadata=metadata or {})


def words(kind: str, entity: EntityType, row: Any, actor: Principal) -> dict[str, Any]:
    """What an event says of `row`, and in which words."""
    name = str(getattr(row, "name", None) or row.id)
    return {
        "entity_type": entity.name,
        "entity_label": entity.label,
        "entity_id": str(row.id),
        "entity_name": name,
        "message": _message(kind, entity.label, name, actor),
    }


def record(**fields: Any) -> Event:
    """Record any event in the running transaction, or in one of its own; `emit` is the short way for entities.

    Raises LookupError for a type that no plugin declares.
    """
    actor = fields.pop("actor", None) or access.principal()
    event = compose(actor, _declared(fields.pop("type")), **_client(), **fields)
    with transaction() as session:
        session.execute(insert(event_log.TABLE), event_log.row(event))
        after_commit(lambda: announce(event))
    return event


def compose(
    actor: Principal,
    declared: EventType,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Event:
    """An event of now. Of a change, `before` is kept where it differs from `after`. Needs no app's context."""
    if before is not None and after is not None:
        before = {name: value for name, value in before.items() if name not in after or after[name] != value}
    return Event(
        id=_sortable_id(),
        type=declared.name,
        action=declared.action or declared.name,
        action_type=declared.action_type,
        occurred_at=utcnow(),
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        before=before,
        after=after,
        **fields,
    )


def announce(event: Event) -> None:
    """Tell this process of an event that is committed."""
    known = registry.current()
    for receiver in committed.receivers_for(known):
        try:
            receiver(known, event=event)
        except BaseException:  # the change is committed: whoever made it must not be told that it failed
            log.exception("%r failed at the event %s", receiver, event.type)


def _declared(name: str) -> EventType:
    declared = registry.current().get(EventType, name)
    if declared is None:
        raise LookupError(f"No plugin declares the event type {name!r}. Give it with the hook event_types.")
    return declared


def _sortable_id() -> str:
    """48 bits of milliseconds, then random: sorts by time, as UUIDv7 does (Python has one from 3.14 on)."""
    value = (time.time_ns() // 1_000_000) << 80 | uuid.uuid4().int & ((1 << 80) - 1)
    return str(uuid.UUID(int=value & ~(0xF << 76) | 0x7 << 76))


def _message(kind: str, label: str, name: str, principal: Principal) -> str:
    actor = _actor_words(principal)
    if kind in CHANGES:
        return f'{actor[0].upper()}{actor[1:]} {CHANGES[kind][1]} {label} "{name}".'
    return f'{label} "{name}": {kind.replace("_", " ")}. By {actor}.'


def _actor_words(actor: Principal) -> str:
    return "the system" if actor.kind == "system" else f"{actor.kind.title()} {actor.name}"


def _client() -> dict[str, Any]:
    if not has_request_context():
        return {}
    return {"ip_address": request.remote_addr, "user_agent": (request.user_agent.string or None)}
