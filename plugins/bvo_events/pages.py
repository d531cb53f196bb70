"""The catalogue of event types in the web UI."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from bvo.access import requires

from . import catalogue

pages = Blueprint("event_pages", __name__, url_prefix="/ui/event-types", template_folder="templates")


@pages.get("")
@requires("events:view", principals=("user",))
def every() -> str:
    """What may happen, by what it happens to."""
    return render_template("bvo_events/types.html", types=catalogue.every())


@pages.get("/<name>")
@requires("events:view", principals=("user",))
def one(name: str) -> str:
    """One event type: its fields, and an example."""
    declared = catalogue.find(name)
    schema = catalogue.schema(declared)
    data = schema["properties"]["data"]["properties"]
    tables = {part: _fields(data[part].get("properties", {})) for part in ("entity", "metadata")}
    path = catalogue.path(declared)
    return render_template(
        "bvo_events/type.html", type=declared, tables=tables, example=schema["examples"][0], schema_path=path
    )


def _fields(properties: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The name, the type and the meaning of each."""
    return [(name, _type(part), str(part.get("description", ""))) for name, part in properties.items()]


def _type(part: dict[str, Any]) -> str:
    """`integer or null`; of a closed set its values."""
    kinds = part.get("enum") or part.get("type", "anything")
    return " or ".join("null" if kind is None else str(kind) for kind in kinds) if isinstance(kinds, list) else kinds
