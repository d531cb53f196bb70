"""Writing the audit log. It is only ever appended to, by the core, through this sink."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import Table

from bvo.entities import Page, Service
from bvo_hookspecs import Event

from . import query
from .models import AuditEvent

USERS = ("user", "token", "sdk")
"""Kinds of actors whose id is that of a user."""


class AuditService(Service[AuditEvent]):
    """Reading only: it has no operation that changes anything."""

    def page(self, arguments: Mapping[str, Any]) -> Page:
        return query.fetch_page(self.entity, arguments)


def row(event: Event) -> tuple[Table, dict[str, Any]]:
    """The event's row in the log."""
    return cast(Table, AuditEvent.__table__), {
        "event_id": event.id,
        "timestamp": event.occurred_at,
        "actor_kind": event.actor_kind,
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
        "before_data": dict(event.before) if event.before is not None else None,
        "after_data": dict(event.after) if event.after is not None else None,
        "details": dict(event.metadata) or None,
    }
