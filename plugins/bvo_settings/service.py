"""Changing settings."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError
from werkzeug.exceptions import UnprocessableEntity

from bvo import events, settings
from bvo.database import transaction


def update(group: str, values: dict[str, Any]) -> dict[str, Any]:
    """Store some values of a group; returns the whole group. Raises NotFound and UnprocessableEntity."""
    with transaction() as session:
        before = settings.read(group)
        try:
            settings.write(session, group, values)
        except ValidationError as error:
            refused = UnprocessableEntity()
            refused.data = {"messages": {"json": error.messages}}  # type: ignore[attr-defined]
            raise refused from None
        session.flush()
        after = settings.read(group)
        if after != before:
            _record(group, before, after)
        return after


def _record(group: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    events.record(
        type="settings.updated",
        action="settings.update",
        action_type="modified",
        entity_type="settings",
        entity_label="Settings",
        entity_id=group,
        entity_name=group,
        message=f"The settings {group} were changed.",
        before=before,
        after=after,
    )
