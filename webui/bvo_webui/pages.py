"""The list of every entity type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import make_response, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from bvo.access import requires
from bvo.entities import fetch_page, name_of, query_schema
from bvo.entities.query import MAX_COUNT
from bvo_hookspecs import EntityType

from .controls import controls, given
from .offers import new_url, visible
from .shell import list_url, title_of
from .values import detail_url, path_of, show

FIRST_CONTROLS = 4
"""Filters that are always in view; the others are folded."""


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
