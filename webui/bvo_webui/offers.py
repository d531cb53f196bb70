"""What one may create and change in the web UI: what an entity type's service can do, for those who may do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import url_for
from marshmallow import Schema
from werkzeug.exceptions import NotFound

from bvo import access, registry
from bvo.bodies import MAX_BODY_BYTES, max_of
from bvo_hookspecs import EntityType

from .values import path_of

OPERATION_OF = {"create": "create", "update": "edit"}
METHOD_OF = {"create": "create_from_form", "update": "update_from_form"}
"""What a service may have beside `create` and `update`, where its form asks for something else than the API."""


def offers(entity: EntityType, view: str) -> bool:
    """True where rows can be created (or `update`d) by people, in the way that the standard routes do it."""
    own = callable(getattr(entity.service, METHOD_OF[view], None))
    standard = entity.has(view) and view not in entity.views
    return (own or standard) and "user" in entity.principals.get(view, ("user",))


def may(entity: EntityType, view: str) -> bool:
    return offers(entity, view) and access.principal().can(permission(entity, view))


def permission(entity: EntityType, view: str) -> str:
    return f"{entity.plural}:{OPERATION_OF[view]}"


def visible(path: str) -> EntityType:
    """The type behind an address. Raises NotFound and Forbidden."""
    for entity in registry.current().of(EntityType).values():
        if path_of(entity) == path:
            access.require(f"{entity.plural}:view")
            return entity
    raise NotFound


def writable(path: str, view: str) -> EntityType:
    """The type behind an address, of which the principal may create or change rows. Raises NotFound and Forbidden."""
    entity = visible(path)
    if not offers(entity, view):
        raise NotFound
    access.require(permission(entity, view))
    return entity


def schema_of(entity: EntityType, row: Any | None, given: Mapping[str, Any]) -> Schema:
    """What a form asks for a new row, or for this one. `given` is what the address says."""
    own = getattr(service_of(entity), "form_schema", None)
    if own is not None:
        schema: Schema = own(row, given)
        return schema
    if entity.write_schema is None:
        raise NotFound
    return entity.write_schema()


def chosen_first(entity: EntityType) -> str:
    """The field on which the others of a new row depend; empty where there is none."""
    return str(getattr(entity.service, "form_begins_with", ""))


def proposed(entity: EntityType, given: Mapping[str, str]) -> Mapping[str, Any]:
    """What the form of a new row has in it at first. `given` is what the address says."""
    own = getattr(service_of(entity), "form_values", None)
    values: Mapping[str, Any] = own(given) if own else {}
    return values


def write(entity: EntityType, view: str) -> Callable[..., Any]:
    """The service's method that takes what a form sends."""
    service = service_of(entity)
    method: Callable[..., Any] = getattr(service, METHOD_OF[view], None) or getattr(service, view)
    return method


def max_body(entity: str) -> int:
    """How large a form for a new row may be: files may come with it."""
    found = next((kind for kind in registry.current().of(EntityType).values() if path_of(kind) == entity), None)
    return max_of(write(found, "create")) if found and offers(found, "create") else MAX_BODY_BYTES


def new_url(entity: EntityType, **given: Any) -> str:
    """The address of the form for a new row; empty where the principal may create none."""
    return url_for("webui.new", entity=path_of(entity), **given) if may(entity, "create") else ""


def edit_url(entity: EntityType, row: Mapping[str, Any]) -> str:
    """The address of the form that changes a row; empty where the principal may change none, or not this one."""
    applies = getattr(service_of(entity), "form_applies", None)
    if not may(entity, "update") or (applies is not None and not applies(row)):
        return ""
    return url_for("webui.edit", entity=path_of(entity), row_id=row["id"])


def service_of(entity: EntityType) -> Any:
    return registry.current().services[entity.service]
