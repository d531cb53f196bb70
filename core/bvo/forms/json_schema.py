"""Schemas from JSON Schema: what a script says of its parameters, as a form can ask for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, fields, validate

PLAIN = {"boolean": fields.Boolean, "integer": fields.Integer, "number": fields.Float, "string": fields.String}
WORDS = (("title", "label"), ("description", "description"), ("format", "format"))
MAX_ENUM = 200


def schema_of(described: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> type[Schema] | None:
    """A marshmallow schema of an object's properties; None where it says nothing of them.

    Also None where `values` has others: a form would lose them. What a control can't ask for, such as an object within
    the object, is a field of JSON. A property's value stays what JSON has, e.g. a text for a date.
    """
    properties = described.get("properties")
    if not isinstance(properties, Mapping) or not properties or set(values or {}) - set(properties):
        return None
    required = described.get("required")
    wanted = required if isinstance(required, list) else []
    return Schema.from_dict({str(name): _field(found, name in wanted) for name, found in properties.items()})


def check(described: Any) -> None:
    """Raise ValueError where this is no JSON Schema of an object, as far as a form needs it to be."""
    if not isinstance(described, Mapping) or described.get("type", "object") != "object":
        raise ValueError("Describe an object: it has the type `object`, and `properties`.")
    properties = described.get("properties", {})
    if not isinstance(properties, Mapping) or not all(isinstance(found, Mapping) for found in properties.values()):
        raise ValueError("`properties` is an object whose values are objects, too.")


def _field(described: Mapping[str, Any], required: bool) -> fields.Field[Any]:
    kind = described.get("type")
    options: dict[str, Any] = {"required": required, "metadata": _metadata(described)}
    if "default" in described:
        options |= {"load_default": described["default"], "required": False}
    if isinstance(kind, list):
        options["allow_none"] = "null" in kind
        kind = next((name for name in kind if name != "null"), None)
    if kind == "array" and isinstance(items := described.get("items"), Mapping) and _plain(items):
        return fields.List(_field(items, False), **options)
    made = PLAIN.get(_type(kind, described))
    if made is None:
        return fields.Raw(**{**options, "allow_none": True})
    field: fields.Field[Any] = made(validate=_validators(described), **options)
    return field


def _metadata(described: Mapping[str, Any]) -> dict[str, Any]:
    found = {ours: described[theirs] for theirs, ours in WORDS if isinstance(described.get(theirs), str)}
    examples = described.get("examples")
    return {**found, "example": examples[0]} if isinstance(examples, list) and examples else found


def _type(kind: Any, described: Mapping[str, Any]) -> str:
    """The type as it is said, else that of all values of the enumeration."""
    if isinstance(kind, str):
        return kind
    enum = described.get("enum")
    return "string" if isinstance(enum, list) and all(isinstance(value, str) for value in enum) else ""


def _plain(items: Mapping[str, Any]) -> bool:
    return _type(items.get("type"), items) in ("integer", "number", "string")


def _validators(described: Mapping[str, Any]) -> list[Callable[[Any], Any]]:
    found: list[Callable[[Any], Any]] = []
    enum = described.get("enum")
    if isinstance(enum, list) and 0 < len(enum) <= MAX_ENUM:
        found.append(validate.OneOf(enum))
    if any(_number(described, name) is not None for name in ("minimum", "maximum")):
        found.append(validate.Range(_number(described, "minimum"), _number(described, "maximum")))
    if any(_number(described, name) is not None for name in ("minLength", "maxLength")):
        found.append(validate.Length(_number(described, "minLength"), _number(described, "maxLength")))
    return [*found, *_pattern(described.get("pattern"))]


def _number(described: Mapping[str, Any], name: str) -> Any:
    value = described.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _pattern(pattern: Any) -> list[Callable[[Any], Any]]:
    """A pattern searches, as JSON Schema has it; one that Python can't read is left to the script."""
    try:
        return [validate.Regexp(f"(?s:.*?)(?:{pattern})")] if isinstance(pattern, str) else []
    except re.error:
        return []
