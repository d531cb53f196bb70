"""The entity type `audit_event`. Its list is an object, as the reference's clients expect it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import request
from flask_smorest import Blueprint
from marshmallow import ValidationError, fields, validate
from sqlalchemy import Select, or_

from bvo.access import requires
from bvo.entities import equals, everything, fetch_page, parser, query_schema
from bvo_hookspecs import EntityType, Filter, NavItem

from .models import AuditEvent
from .schemas import AuditDetail, AuditPage
from .service import AuditService

described = Blueprint("audit", __name__)
"""Only for its decorators: the entity engine makes the routes."""


def _since(query: Select[Any], value: datetime) -> Select[Any]:
    return query.where(AuditEvent.timestamp >= value)


def _until(query: Select[Any], value: datetime) -> Select[Any]:
    return query.where(AuditEvent.timestamp <= value)


def _containing(query: Select[Any], value: str) -> Select[Any]:
    columns = (AuditEvent.message, AuditEvent.entity_name, AuditEvent.actor_username, AuditEvent.action)
    return query.where(or_(*(column.icontains(value, autoescape=True) for column in columns)))


def _action(query: Select[Any], value: str) -> Select[Any]:
    """Clients of the reference send an action type as `action`, too; no action is named like one."""
    return query.where(or_(AuditEvent.action == value, AuditEvent.action_type == value))


def _by(query: Select[Any], value: str) -> Select[Any]:
    return query.where(AuditEvent.actor_username == value)


def _point_in_time() -> fields.AwareDateTime:
    return fields.AwareDateTime(default_timezone=UTC, validate=_within_utc)


def _within_utc(value: datetime) -> None:
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ValidationError("Not a valid datetime.") from None


@requires("audit:view")
@described.response(200, AuditPage)
def list_events() -> Any:
    """List the audit log, newest first"""
    arguments = parser.parse(query_schema(AUDIT_EVENT), request, location="query")
    page = fetch_page(AUDIT_EVENT, arguments)
    return {"items": page.rows, "total": page.total, "page": page.page, "page_size": page.page_size}


AUDIT_EVENT = EntityType(
    name="audit_event",
    plural="audit",
    label="Audit event",
    model=AuditEvent,
    read_schema=AuditDetail,
    service=AuditService,
    scope=everything,
    columns=("timestamp", "actor_username", "action_type", "entity_display", "entity_name", "message"),
    filters=(
        Filter(name="search", field=fields.String(), apply=_containing),
        Filter(name="q", field=fields.String(), apply=_containing),
        Filter(name="from_time", field=_point_in_time(), apply=_since),
        Filter(name="to_time", field=_point_in_time(), apply=_until),
        Filter(name="from", field=_point_in_time(), apply=_since),
        Filter(name="to", field=_point_in_time(), apply=_until),
        Filter(name="user", field=fields.String(), apply=_by),
        Filter(name="username", field=fields.String(), apply=_by),
        equals(AuditEvent.actor_user_id, fields.Integer(validate=validate.Range(1, 2**31 - 1)), name="user_id"),
        Filter(name="action", field=fields.String(), apply=_action),
        equals(AuditEvent.action_type, fields.String()),
        equals(AuditEvent.entity_type, fields.String()),
        equals(AuditEvent.entity_id, fields.String()),
    ),
    views={"list": list_events},
    nav=NavItem(name="audit", label="Audit log", order=90),
)
