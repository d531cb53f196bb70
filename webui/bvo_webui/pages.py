"""The detail page of every entity type."""

from __future__ import annotations

from flask import flash, make_response, redirect, render_template
from werkzeug.exceptions import NotFound, ServiceUnavailable
from werkzeug.wrappers import Response

from bvo import access, registry
from bvo.access import requires

from . import errors, parts
from .headers import fragment
from .offers import visible
from .records import Record, load
from .shell import list_url

POLLED = "polled"
"""Sent with every answer to a panel that asks again, so that the page's head asks again, too."""


@requires(None)
def detail(entity: str, row_id: int) -> Response:
    return make_response(_detail(load(visible(entity), row_id)))


@requires(None)
def head(entity: str, row_id: int) -> Response:
    """The part above the panels, for a page that asks again."""
    record = load(visible(entity), row_id)
    return fragment(render_template("webui/_head.html", record=record, live=True), record.etag)


@requires(None)
def panel(entity: str, row_id: int, name: str) -> Response:
    record = load(visible(entity), row_id)
    try:
        part = parts.panel(record.entity, row_id, name)
    except LookupError:
        raise NotFound(f"{record.entity.label} has no panel {name!r}.") from None
    if part is None:
        raise ServiceUnavailable("This part of the page can't be shown now; the server's log has the reason.")
    response = fragment(render_template("webui/_panel.html", record=record, panel=part), part.etag)
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


def _detail(record: Record, problem: str = "") -> str:
    panels = parts.panels(record.entity, record.id)
    live = any(panel.live for panel in panels)
    return render_template("webui/detail.html", record=record, panels=panels, live=live, problem=problem)
