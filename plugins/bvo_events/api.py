"""`/api/events`."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from bvo.access import requires

from . import schemas, service

blueprint = Blueprint("events", __name__, url_prefix="/api/events", description="The event log")


@blueprint.get("")
@requires("events:view")
@blueprint.arguments(schemas.PullIn, location="query")
@blueprint.response(200, schemas.PullOut)
def pull(arguments: dict[str, Any]) -> dict[str, Any]:
    """Read the event log from a place on

    Keep `next`, and ask again with it: each committed event comes once, and those of one row in their order.
    """
    patterns = [pattern for pattern in arguments["types"].split(",") if pattern]
    return service.pull(arguments["after"], patterns, arguments["page_size"])
