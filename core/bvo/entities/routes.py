"""REST routes from entity types: `GET|POST /api/<path>`, `GET|PUT|DELETE /api/<path>/<id>`, `POST …/<id>/<action>`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode

from flask import request
from flask_smorest import Blueprint
from marshmallow import EXCLUDE, Schema, fields, validate
from werkzeug.exceptions import NotFound

from bvo.access import requires
from bvo.registry import Registry
from bvo_hookspecs import Action, EntityType

from .etags import answer, matching
from .orders import MAX_ID
from .query import MAX_COUNT, Page, fetch_page, find

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
ROW = "<int:row_id>"
PERMISSION_OF = {"list": "view", "get": "view", "create": "create", "update": "edit", "delete": "delete"}

TAG = {"type": "string", "example": '"0d7a1a4f3c8e4b21a5c06f2e9b7d3184"'}
ETAG = {"ETag": {"schema": TAG, "description": "Names the state that is shown"}}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "schema": TAG,
    "description": "The ETag of the state to change; where the row has another one by now, nothing changes (412)",
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "schema": TAG,
    "description": "The ETag of the state that you have; as long as it stays, the answer is 304 and has no body",
}

View = Callable[..., Any]


def refuse_huge_ids(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Raise NotFound for an id that is none of ours, before a database is asked that can't hold such a number."""
    if any(isinstance(value, int) and value > MAX_ID for value in (values or {}).values()):
        raise NotFound(f"Ids end at {MAX_ID}. Check the address.")


def blueprints(registry: Registry) -> Iterator[Blueprint]:
    """One blueprint for each entity type, with the routes that its service and its schemas allow."""
    for entity in registry.of(EntityType).values():
        blueprint = Blueprint(entity.plural, __name__, url_prefix=f"/api/{entity.url}", description=entity.label)
        service = registry.services[entity.service]
        for rule, name, method, view in _views(blueprint, entity, service):
            view = _described_as(view, entity.views[name]) if name in entity.views else view
            blueprint.add_url_rule(rule, endpoint=name, view_func=view, methods=[method])
        yield blueprint


def _views(blueprint: Blueprint, entity: EntityType, service: Any) -> Iterator[tuple[str, str, str, View]]:
    yield "", "list", "GET", _list(blueprint, entity)
    yield f"/{ROW}", "get", "GET", _get(blueprint, entity)
    if entity.has("create"):
        yield "", "create", "POST", _create(blueprint, entity, service)
    if entity.has("update"):
        yield f"/{ROW}", "update", "PUT", _update(blueprint, entity, service)
    if entity.has("delete"):
        yield f"/{ROW}", "delete", "DELETE", _delete(blueprint, entity, service)
    for action in entity.actions:
        yield f"/{ROW}/{action.name}", action.name, "POST", _action(blueprint, entity, service, action)


def _described_as(standard: View, view: View) -> View:
    """A view that replaces a standard one is described as that, except for what it says of itself."""

    @wraps(view)
    def described(*args: Any, **values: Any) -> Any:
        return view(*args, **values)

    described._apidoc = {**standard._apidoc, **getattr(view, "_apidoc", {})}  # type: ignore[attr-defined]
    return described


def _guard(entity: EntityType, view: str) -> Callable[[View], View]:
    """The access that one of the standard views declares."""
    return requires(f"{entity.plural}:{PERMISSION_OF[view]}", principals=entity.principals.get(view))


def _list(blueprint: Blueprint, entity: EntityType) -> View:
    @_guard(entity, "list")
    @blueprint.arguments(query_schema(entity), location="query")
    @blueprint.response(200, entity.read_schema(many=True), headers={name: name for name in ("X-Pagination", "Link")})
    def view(arguments: dict[str, Any]) -> Any:
        page = fetch_page(entity, arguments)
        return page.rows, 200, paging_headers(page)

    view.__doc__ = f"List {entity.plural.replace('_', ' ')}, newest first"
    return view


def _get(blueprint: Blueprint, entity: EntityType) -> View:
    @_guard(entity, "get")
    @blueprint.doc(parameters=[IF_NONE_MATCH])
    @blueprint.alt_response(304, description="The client has this state already")
    @blueprint.response(200, entity.read_schema, headers=ETAG)
    def view(row_id: int) -> Any:
        return answer(entity, find(entity, row_id))

    view.__doc__ = f"Get one {entity.label.lower()}"
    return view


def _create(blueprint: Blueprint, entity: EntityType, service: Any) -> View:
    @_guard(entity, "create")
    @_may_miss_what_it_names(blueprint, entity)
    @blueprint.alt_response(409)
    @blueprint.arguments(entity.write_schema)
    @blueprint.response(201, entity.read_schema, headers=ETAG)
    def view(data: dict[str, Any]) -> Any:
        return answer(entity, service.create(data), 201)

    label = entity.label.lower()
    view.__doc__ = f"Create {'an' if label[0] in 'aeio' else 'a'} {label}"
    return view


def _update(blueprint: Blueprint, entity: EntityType, service: Any) -> View:
    @_guard(entity, "update")
    @_conditional(blueprint)
    @blueprint.alt_response(409)
    @blueprint.arguments(_part(cast(type[Schema], entity.write_schema)))
    @blueprint.response(200, entity.read_schema, headers=ETAG)
    def view(data: dict[str, Any], row_id: int) -> Any:
        with matching(entity, row_id):
            row = service.update(row_id, data)
        return answer(entity, row)

    view.__doc__ = f"Change a {entity.label.lower()}; fields that are left out stay"
    return view


def _part(schema: type[Schema]) -> Schema:
    """The schema of a change: fields may be left out, but not what belongs into them, as with `partial=True`."""
    return schema(partial=tuple(schema().fields))


def _delete(blueprint: Blueprint, entity: EntityType, service: Any) -> View:
    @_guard(entity, "delete")
    @_conditional(blueprint)
    @blueprint.alt_response(409)
    @blueprint.response(204)
    def view(row_id: int) -> None:
        with matching(entity, row_id):
            service.delete(row_id)

    view.__doc__ = f"Delete a {entity.label.lower()}"
    return view


def _action(blueprint: Blueprint, entity: EntityType, service: Any, action: Action) -> View:
    run = getattr(service, action.name)

    @requires(f"{entity.plural}:{action.operation}")
    @_conditional(blueprint)
    @blueprint.alt_response(409)
    @blueprint.response(200, entity.read_schema, headers=ETAG)
    def view(row_id: int) -> Any:
        with matching(entity, row_id):
            row = run(row_id)
        return answer(entity, row)

    view.__doc__ = f"{action.label} (one {entity.label.lower()})"
    return view


def _conditional(blueprint: Blueprint) -> Callable[[View], View]:
    """Describe a view that changes a row only in the state that `If-Match` names."""

    def describe(view: View) -> View:
        failed = blueprint.alt_response(412, "PRECONDITION_FAILED")
        return cast(View, blueprint.doc(parameters=[IF_MATCH])(failed(view)))

    return describe


def _may_miss_what_it_names(blueprint: Blueprint, entity: EntityType) -> Callable[[View], View]:
    """Describe the 404 of a body that names other rows by id."""
    if any(name.endswith("_id") for name in cast(type[Schema], entity.write_schema)().fields):
        return cast(
            Callable[[View], View], blueprint.alt_response(404, description="There is no row with an id of the body")
        )
    return lambda view: view


def query_schema(entity: EntityType) -> Schema:
    """What a list takes: the type's filters, and paging."""
    paging: dict[str, fields.Field[Any]] = {
        "page": fields.Integer(load_default=1, validate=validate.Range(1, MAX_COUNT + 1)),
        "page_size": fields.Integer(load_default=DEFAULT_PAGE_SIZE, validate=validate.Range(1, MAX_PAGE_SIZE)),
        "after": fields.Integer(
            validate=validate.Range(0, MAX_ID),
            metadata={"description": "Rows that follow this id in the list; see the Link header"},
        ),
    }
    filters = {criterion.name: criterion.field for criterion in entity.filters}
    return Schema.from_dict({**filters, **paging}, name=f"{entity.name}_query")(unknown=EXCLUDE)


def paging_headers(page: Page) -> dict[str, str]:
    """Totals, and the address of the rows that follow."""
    totals = {"total": page.total, "total_pages": page.pages, "page": page.page, "page_size": page.page_size}
    headers = {"X-Pagination": json.dumps(totals)}
    if page.next_after is not None:
        query = urlencode({**request.args.to_dict(), "after": page.next_after})
        headers["Link"] = f'<{request.base_url}?{query}>; rel="next"'
    return headers
