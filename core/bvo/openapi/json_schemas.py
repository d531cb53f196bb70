"""JSON Schema of what marshmallow describes, whole in itself: for what is told of beside OpenAPI."""

from __future__ import annotations

from typing import Any, cast

from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from . import examples, schemas

NOT_TOLD = (schemas.OPTIONAL, schemas.ONLY, "additionalProperties")

_converter: Any = OpenAPIConverter("3.1.0", lambda schema: None, APISpec("", "", "3.1.0"))
_converter.add_attribute_function(schemas.as_json_schema)


def of_field(field: fields.Field[Any]) -> dict[str, Any]:
    """The values that the field takes."""
    return cast(dict[str, Any], _converter.field2property(field))


def of_schema(kind: type[Schema]) -> dict[str, Any]:
    """The objects that the schema gives, without what only one request is answered with. They may get more fields."""
    return cast(dict[str, Any], _open(_converter.schema2jsonschema(kind())))


def with_example(described: dict[str, Any]) -> dict[str, Any]:
    """The same, with an example that is made of those of its parts."""
    return {**described, "examples": [examples.of(described)]}


def _open(described: Any) -> Any:
    if isinstance(described, list):
        return [_open(part) for part in described]
    if not isinstance(described, dict):
        return described
    return {
        name: _properties(part) if name == "properties" else _open(part)
        for name, part in described.items()
        if name not in NOT_TOLD
    }


def _properties(described: dict[str, Any]) -> dict[str, Any]:
    return {name: _open(part) for name, part in described.items() if type(part.get(schemas.OPTIONAL)) is not int}
