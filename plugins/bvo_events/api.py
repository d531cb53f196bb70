"""`/api/events`."""

from __future__ import annotations

from typing import Any

from flask import jsonify
from flask_smorest import Blueprint
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from bvo.access import requires

from . import catalogue, schemas, service

blueprint = Blueprint("events", __name__, url_prefix="/api/events", description="The event log")

TYPE = {"in": "path", "name": "name", "example": "job.completed"}
VERSION = {"in": "path", "name": "version", "example": 1}
SCHEMA = {"title": "job.completed", "type": "object", "properties": {"type": {"const": "job.completed"}}}


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


@blueprint.get("/types")
@requires("events:view")
@blueprint.response(200, schemas.TypeOut(many=True))
def types() -> list[dict[str, Any]]:
    """The catalogue: every type of event that the loaded plugins may record"""
    return catalogue.every()


@blueprint.get("/types/<name>/v<int:version>", parameters=[TYPE, VERSION])
@requires("events:view")
@blueprint.response(200, {"type": "object"}, example=SCHEMA)
def schema(name: str, version: int) -> Response:
    """The JSON Schema of an event type, with an example"""
    declared = catalogue.find(name)
    if version != declared.version:
        raise NotFound(f"Event type not found: the version of {name} is {declared.version}.")
    return jsonify(catalogue.schema(declared))
