"""The list and the detail page of every entity type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, make_response, redirect, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.exceptions import BadRequest, NotFound, ServiceUnavailable
from werkzeug.wrappers import Response

from bvo import access, registry
from bvo.access import requires
from bvo.entities import fetch_page, name_of, query_schema
from bvo.entities.query import MAX_COUNT
from bvo_hookspecs import EntityType

from . import errors, parts
from .controls import controls, given
from .offers import new_url, visible
from .records import Record, load
from .shell import list_url, title_of
from .values import detail_url, path_of, show

FIRST_CONTROLS = 4
"""Filters that are always in view; the others are folded."""

POLLED = "polled"
"""Sent with every answer to a panel that asks again, so that the page's head asks again, too."""


@requires(None)
def list_rows(entity: str) -> Response:
    kind = visible(entity)
    entered = given(kind, request.args)
    paging = {name: request.args[name] for name in ("after", "page_size") if request.args.get(name)}
    try:
        arguments = query_schema(kind).load({**entered, **paging})
    except ValidationError as error:
        messages = error.messages if isinstance(error.messages, dict) else {}
        if unknown := set(messages) - set(entered):
            raise BadRequest(f"The address has a value for {', '.join(sorted(unknown))} that is none.") from None
        return make_response(_list(kind, entered, errors=messages), 422)
    page = fetch_page(kind, arguments)
    schema = kind.read_schema()
    rows = [_row(kind, schema, row) for row in schema.dump(page.rows, many=True)]
    links = _links(kind, {**entered, **paging}, page.next_after)
    return make_response(_list(kind, entered, page=page, rows=rows, **links))


@requires(None)
def detail(entity: str, row_id: int) -> Response:
    return make_response(_detail(load(visible(entity), row_id)))


@requires(None)
def head(entity: str, row_id: int) -> Response:
    """The part above the panels, for a page that asks again."""
    record = load(visible(entity), row_id)
    return _fragment(render_template("webui/_head.html", record=record, live=True), record.etag)


@requires(None)
def panel(entity: str, row_id: int, name: str) -> Response:
    record = load(visible(entity), row_id)
    try:
        part = parts.panel(record.entity, row_id, name)
    except LookupError:
        raise NotFound(f"{record.entity.label} has no panel {name!r}.") from None
    if part is None:
        raise ServiceUnavailable("This part of the page can't be shown now; the server's log has the reason.")
    response = _fragment(render_template("webui/_panel.html", record=record, panel=part), part.etag)
    response.headers["HX-Trigger"] = POLLED
    return response


@requires(None)
def act(entity: str, row_id: int, action: str) -> Response:
    """Run an action of the type's service, or delete the row; what goes wrong is said on the row's page."""
    record = load(visible(entity), row_id)
    button = record.button(action)
    if button is None:
        raise NotFound(f"{record.entity.label} has no action {action!r}.")
    errors.show_on(lambda problem: _detail(load(record.entity, row_id), problem))
    access.require(button.permission)
    getattr(registry.current().service(record.entity.service), action)(row_id)
    flash(f"{record.entity.label} {record.title}: {button.done}")
    return redirect(list_url(record.entity) if button.removes else record.url)


def _list(entity: EntityType, entered: Mapping[str, Any], errors: Mapping[str, Any] | None = None, **found: Any) -> str:
    form = controls(entity, entered, errors or {})
    return render_template(
        "webui/list.html",
        entity=entity,
        title=title_of(entity),
        url=list_url(entity),
        new=new_url(entity),
        controls=form,
        more=any(control.value or control.error for control in form[FIRST_CONTROLS:]),
        first_controls=FIRST_CONTROLS,
        filtered=bool(entered),
        max_count=MAX_COUNT,
        **found,
    )


def _row(entity: EntityType, schema: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's cells; the first of them that names the row leads to its page."""
    cells = show(schema, row, list(entity.columns))
    leading = next((cell.name for cell in cells if cell.kind == "text" and cell.value == name_of(row)), cells[0].name)
    return {"url": detail_url(entity, row["id"]), "cells": cells, "leading": leading}


def _links(entity: EntityType, query: Mapping[str, Any], next_after: int | None) -> dict[str, Any]:
    path = path_of(entity)
    newest = {name: value for name, value in query.items() if name != "after"}
    return {
        "newest": url_for("webui.list", entity=path, **newest) if "after" in query else "",
        "older": url_for("webui.list", entity=path, **{**newest, "after": next_after}) if next_after else "",
    }


def _detail(record: Record, problem: str = "") -> str:
    panels = parts.panels(record.entity, record.id)
    live = any(panel.live for panel in panels)
    return render_template("webui/detail.html", record=record, panels=panels, live=live, problem=problem)


def _fragment(html: str, tag: str) -> Response:
    """A part of a page that a browser may keep, but must ask about: unchanged, it is 304 and nothing moves."""
    response: Response = make_response(html)
    response.set_etag(tag)
    response.headers["Cache-Control"] = "private, no-cache"
    return response.make_conditional(request)
