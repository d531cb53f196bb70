"""The entity type `audit_event`. Its list is an object, as the reference's clients expect it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from flask_smorest import Blueprint
from marshmallow import fields, validate
from sqlalchemy import Select

from bvo.access import requires
from bvo.entities import everything, fetch_page, paging_headers, point_in_time, query_schema
from bvo.event_log import LoggedEvent
from bvo_hookspecs import EntityType, Filter, NavItem

from .query import CRITERIA, Criterion
from .schemas import AuditDetail, AuditPage
from .service import AuditService

described = Blueprint("audit", __name__)
"""Only for its decorators: the entity engine makes the routes."""


def _text(description: str) -> fields.String:
    return fields.String(metadata={"description": description})


@cache  # filters that are the same have the same function: a form shows one of them
def _narrowing(criterion: Criterion) -> Callable[[Select[Any], Any], Select[Any]]:
    return lambda query, value: query.where(criterion.holds(LoggedEvent, value))


FIELDS: dict[str, fields.Field[Any]] = {
    "search": _text("Text in message, entity_name, actor_username or action"),
    "q": _text("The same as search"),
    "from_time": point_in_time("Events at this time or later"),
    "to_time": point_in_time("Events at this time or earlier"),
    "from": point_in_time("The same as from_time"),
    "to": point_in_time("The same as to_time"),
    "user": _text("The name of the user, or of the robot"),
    "username": _text("The same as user"),
    "user_id": fields.Integer(
        validate=validate.Range(1, 2**31 - 1), metadata={"description": "The user's id, whatever name the user had"}
    ),
    "action": _text("What was done, e.g. job.create; without a dot, the same as action_type"),
    "action_type": _text("The kind of action, e.g. created, modified, deleted, status_changed, login, logout, denied"),
    "entity_type": _text("What it was done to, e.g. job"),
    "entity_id": _text("The id of what it was done to; best together with entity_type"),
}

_EVENTS = EntityType(
    name="audit_event",
    plural="audit",
    label="Audit event",
    model=LoggedEvent,
    read_schema=AuditDetail,
    service=AuditService,
    scope=everything,
    columns=("timestamp", "actor_username", "action_type", "entity_display", "entity_name", "message"),
    filters=tuple(Filter(name=name, field=field, apply=_narrowing(CRITERIA[name])) for name, field in FIELDS.items()),
    nav=NavItem(name="audit", label="Audit log", order=90),
)


@requires("audit:view")
@described.arguments(query_schema(_EVENTS), location="query")
@described.response(200, AuditPage)
def list_events(arguments: dict[str, Any]) -> Any:
    """List the audit log, newest first"""
    page = fetch_page(AUDIT_EVENT, arguments)
    body = {
        "items": page.rows,
        "total": page.total,
        "page": page.page,
        "page_size": page.page_size,
        "searched_to": page.searched_to,
    }
    return body, 200, paging_headers(page)


AUDIT_EVENT = replace(_EVENTS, views={"list": list_events})
