"""Examples of what is sent and answered: from the fields that have one, and from the types of the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .schemas import OPTIONAL, operations

FORMATS = {
    "date-time": "2026-11-02T08:30:00+00:00",
    "date": "2026-11-02",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "018f3f6e-0000-7000-8000-000000000000",
}
SCALARS: dict[str, Any] = {"string": "a text", "integer": 1, "number": 0.5, "boolean": True, "null": None}


def add(document: dict[str, Any]) -> None:
    """Give each body that is sent, and each that answers a success, an example where it has none."""
    schemas = document["components"]["schemas"]
    for operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            _fill(media, _Builder(schemas=schemas, sent=True))
        for status, response in operation["responses"].items():
            for kind, media in response.get("content", {}).items():
                if kind == "application/json":
                    _fill(media, _Builder(schemas=schemas, status=int(status)))


def of(schema: dict[str, Any]) -> Any:
    """An example of what this schema describes, in which every part is described in its place."""
    return _Builder(schemas={}).of(schema)


def _fill(media: dict[str, Any], builder: _Builder) -> None:
    if "example" not in media:
        media["example"] = builder.of(media["schema"])


@dataclass(frozen=True, kw_only=True)
class _Builder:
    """Builds what is `sent`, or what is answered with `status`."""

    schemas: dict[str, Any]
    sent: bool = False
    status: int = 0

    def of(self, schema: dict[str, Any]) -> Any:
        """A value of this schema."""
        if reference := schema.get("$ref"):
            return self.of(self.schemas[reference.rpartition("/")[2]])
        if "const" in schema:
            return schema["const"]
        for key in ("examples", "enum", "anyOf"):
            if key in schema:
                return self.of(schema[key][0]) if key == "anyOf" else schema[key][0]
        return self._typed(schema, self._kind(schema))

    def _kind(self, schema: dict[str, Any]) -> str:
        kind = schema.get("type", "object")
        return kind if isinstance(kind, str) else str(kind[0])

    def _typed(self, schema: dict[str, Any], kind: str) -> Any:
        if kind == "object":
            properties = schema.get("properties", {})
            shown = [name for name in properties if self._shown(name, schema)] or properties
            inside = replace(self, status=0)
            return {name: inside.of(properties[name]) for name in shown}
        if "default" in schema:
            return schema["default"]
        if kind == "array":
            return [self.of(schema["items"])]
        return FORMATS.get(schema.get("format", ""), SCALARS[kind])

    def _shown(self, name: str, schema: dict[str, Any]) -> bool:
        """Sent is what is required, or has an example; answered is everything, unless another status has it."""
        field = schema["properties"][name]
        if self.sent:
            return name in schema.get("required", ()) or "examples" in field
        return field.get(OPTIONAL, True) in (True, self.status)
