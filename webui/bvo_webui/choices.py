"""Which columns of a list one wants to see: remembered in a cookie of this list, which no other page is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request
from marshmallow import fields
from werkzeug.wrappers import Response

from bvo import access, registry
from bvo.dumps import fields_of
from bvo_hookspecs import EntityType

from .shell import list_url
from .text import words

YEAR_SECONDS = 365 * 24 * 3600
LONG = (fields.Dict, fields.Raw, fields.List)
"""What is too large for a column, unless the type itself makes it one."""


@dataclass(frozen=True)
class Choice:
    """A column that the list may have."""

    name: str
    label: str
    shown: bool


def of(entity: EntityType) -> list[Choice]:
    """The columns that the list may have: the type's own in their order, then the other fields."""
    chosen = _remembered(entity)
    return [Choice(name, _label(entity, name), name in chosen) for name in _possible(entity)]


def remember(entity: EntityType, response: Response) -> Response:
    """Keep the columns that the address names; none of them means the type's own again."""
    named = {name for value in request.args.getlist("columns") for name in value.split(",")}
    wanted = [name for name in _possible(entity) if name in named]
    where: dict[str, Any] = {"path": list_url(entity), "samesite": "Lax", "httponly": True}
    if not wanted or wanted == list(entity.columns):
        response.delete_cookie(_cookie(), **where)
    else:
        secure = not registry.current().config.development
        response.set_cookie(_cookie(), ".".join(wanted), max_age=YEAR_SECONDS, secure=secure, **where)
    return response


def _remembered(entity: EntityType) -> list[str]:
    kept = request.cookies.get(_cookie(), "").split(".")
    return [name for name in _possible(entity) if name in kept] or list(entity.columns)


def _cookie() -> str:
    """One for each person: a browser may be used by several."""
    return f"bvo_columns_{access.principal().id or 0}"


def _possible(entity: EntityType) -> list[str]:
    others = [
        name
        for name, field in fields_of(entity.read_schema).items()
        if not isinstance(field, LONG) and not _is_told(entity, name)
    ]
    return [*entity.columns, *(name for name in others if name not in entity.columns)]


def _is_told(entity: EntityType, name: str) -> bool:
    """What must not be seen, or what another column tells: `process_id` beside `process`."""
    base, _, kind = name.rpartition("_")
    return name in entity.secrets or (kind in ("id", "name") and base in fields_of(entity.read_schema))


def _label(entity: EntityType, name: str) -> str:
    field = fields_of(entity.read_schema).get(name)
    return str((field.metadata if field else {}).get("label") or words(name))
