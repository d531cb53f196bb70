"""How marshmallow's schemas become JSON Schema: what apispec leaves open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from marshmallow import Schema, fields

from bvo.entities import MAX_ID

ID = {"type": "integer", "minimum": 1, "maximum": MAX_ID, "examples": [1]}
OPTIONAL = "x-optional"
"""Marks what an answer may lack: `metadata={"x_optional": True}`, or the only status that has it. Not shown."""
ONLY = "x-only"
"""Marks what a new row can't have yet: `metadata={"x_only": "update"}`. Not shown."""
UPDATE = "Update"
END = r"\Z"


class Problem(Schema):
    """An error (RFC 9457). `detail` says what to do; `errors` has the messages for each field."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), metadata={"x_optional": True})


def name(schema: Any) -> str:
    """The name of a schema: `runner.RegisterIn`, and `access.UserUpdate` for a part of `UserIn`."""
    kind = schema if isinstance(schema, type) else type(schema)
    shown = f"{kind.__name__.removesuffix('In')}{UPDATE}" if getattr(schema, "partial", None) else kind.__name__
    return f"{kind.__module__.split('.')[0].removeprefix('bvo_')}.{shown}"


def as_json_schema(converter: Any, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """What a field's description lacks: `examples` is a list, and patterns are those of ECMA 262."""
    if "example" in ret:
        ret["examples"] = [ret.pop("example")]
    if "pattern" in ret:
        ret["pattern"] = _ecma(ret["pattern"])
    return {}


def finish(document: dict[str, Any]) -> None:
    """Do what the marks say, and remove them. Answers have all their fields, except those that are marked."""
    components = document["components"]["schemas"]
    bodies = [operation["requestBody"] for operation in operations(document) if "requestBody" in operation]
    taken = _reached(bodies, components)
    for name_, schema in components.items():
        properties = schema.get("properties", {})
        marks = {key: (field.pop(OPTIONAL, None), field.pop(ONLY, None)) for key, field in properties.items()}
        if not name_.endswith(UPDATE):
            schema["properties"] = {key: field for key, field in properties.items() if marks[key][1] is None}
        always = sorted(key for key, (optional, _) in marks.items() if optional is None)
        if always and name_ not in taken:
            schema["required"] = always
    for body in bodies:
        body["required"] = any("required" in _whole(media["schema"], components) for media in body["content"].values())


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every operation of the document."""
    for path in document["paths"].values():
        yield from (operation for method, operation in path.items() if method != "parameters")


def _ecma(pattern: str) -> str:
    """A validator's pattern as ECMA 262 writes it: marshmallow's begin where the text begins."""
    if pattern.startswith("^"):
        return pattern
    return f"^(?:{pattern.removesuffix(END)}){'$' if pattern.endswith(END) else ''}"


def _whole(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, where a reference leads to it."""
    found: dict[str, Any] = components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def _reached(node: Any, components: dict[str, Any], seen: set[str] | None = None) -> set[str]:
    """The names of the schemas to which `node` leads."""
    seen = set() if seen is None else seen
    for reference in _references(node):
        if reference not in seen:
            seen.add(reference)
            _reached(components[reference], components, seen)
    return seen


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(found := node.get("$ref"), str):
            yield found.rpartition("/")[2]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
