"""The catalogue of event types: those of the core, those that follow from entity types, and those of plugins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from marshmallow import fields

from bvo_hookspecs import EntityType, EventType

CHANGES = {
    "created": ("create", "created", "{} was created."),
    "updated": ("update", "modified", "{} was changed."),
    "deleted": ("delete", "deleted", "{} was deleted."),
}
"""The events of every entity type: what makes them, the audit log's kind of action, and the sentence that says so."""

CORE = (
    EventType(
        name="user.logged_in",
        action="auth.login",
        action_type="login",
        help="A user logged in: with a password, or by a provider, which is told then.",
        metadata={"provider": fields.String()},
    ),
    EventType(
        name="user.login_failed",
        action="auth.login_failed",
        action_type="login_failed",
        help="Somebody was not let in: with a name or a password that does not hold, or by a provider.",
        metadata={"provider": fields.String(), "reason": fields.String()},
    ),
    EventType(name="user.logged_out", action="auth.logout", action_type="logout", help="A user logged out."),
    EventType(
        name="session.reuse_detected",
        help="A refresh token was used twice, so its session was ended: one of the two may have stolen it.",
    ),
    EventType(
        name="access.denied",
        action_type="denied",
        help="Somebody who is known was refused something: once a minute for each thing.",
        metadata={
            "method": fields.String(),
            "route": fields.String(),
            "permission": fields.String(allow_none=True),
        },
    ),
    EventType(
        name="secrets.rotated",
        action="secrets.rotate",
        action_type="modified",
        help="Stored secrets were encrypted anew, under the current key.",
    ),
)


def derived(entity_types: Iterable[EntityType], event_types: Iterable[EventType]) -> list[EventType]:
    """The events of what the services of these entity types can do, but those that their plugin declares itself."""
    declared = {event_type.name for event_type in event_types}
    followed = [event_type for entity in entity_types for event_type in _changes(entity)]
    return [event_type for event_type in followed if event_type.name not in declared]


def of_change(entity: str, kind: str, **fields: Any) -> EventType:
    """`created`, `updated` or `deleted` in the audit log's words: for who says more of it than what would follow."""
    operation, action_type, _ = CHANGES[kind]
    return EventType(name=f"{entity}.{kind}", action=f"{entity}.{operation}", action_type=action_type, **fields)


def _changes(entity: EntityType) -> Iterator[EventType]:
    for kind, (operation, _, words) in CHANGES.items():
        if entity.has(operation):
            yield of_change(entity.name, kind, help=words.format(entity.label), schema=entity.read_schema)
