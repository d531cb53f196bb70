"""The catalogue of event types, with the JSON Schema and an example of each."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import NotFound

from bvo import registry
from bvo.events import MASK
from bvo.openapi import json_schemas
from bvo_hookspecs import EntityType, EventType

from .schemas import CloudEvent

PATH = "/api/events/types"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def every() -> list[dict[str, Any]]:
    """What may happen, by name, and which plugin declares it."""
    found = registry.current().every(EventType)
    return sorted((_shown(plugin.name, declared) for plugin, declared in found), key=lambda shown: str(shown["type"]))


def find(name: str) -> EventType:
    """The event type of this name. Raises NotFound."""
    declared = registry.current().get(EventType, name)
    if declared is None:
        raise NotFound(f"Event type not found: no plugin declares {name!r}. GET {PATH} lists those that there are.")
    return declared


def path(declared: EventType) -> str:
    """Where its JSON Schema is; another version has another one."""
    return f"{PATH}/{declared.name}/v{declared.version}"


def schema(declared: EventType) -> dict[str, Any]:
    """The JSON Schema of these events as they leave the product, with an example."""
    described = json_schemas.of_schema(CloudEvent)
    parts = described["properties"]
    data = parts["data"]["properties"]
    parts["type"] = {"const": declared.name}
    data["entity"] |= _entity(declared)
    data["metadata"]["properties"] = {name: json_schemas.of_field(field) for name, field in declared.metadata.items()}
    described["required"] = [name for name in parts if name != "dataschema"]
    parts["data"]["required"] = list(data)
    described = json_schemas.with_example(described)
    _as_declared(described["examples"][0], declared)
    return {"$schema": DIALECT, "$id": path(declared), "title": declared.name, "description": declared.help} | described


def _shown(plugin: str, declared: EventType) -> dict[str, Any]:
    return {
        "type": declared.name,
        "description": declared.help,
        "plugin": plugin,
        "version": declared.version,
        "schema": path(declared),
    }


def _entity(declared: EventType) -> dict[str, Any]:
    """The fields of the row. None is required: a long event leaves some out."""
    if declared.schema is None:
        return {}
    properties: dict[str, Any] = json_schemas.of_schema(declared.schema)["properties"]
    for name in _secrets(declared) & properties.keys():
        properties[name] = {"type": ["string", "null"], "examples": [MASK]}
    return {"properties": properties}


def _as_declared(example: dict[str, Any], declared: EventType) -> None:
    """Make the example one of this type."""
    about = declared.name.partition(".")[0]
    data = example["data"]
    data["entity"] |= declared.example
    example["subject"] = f"{about}/{data['entity'].get('id', '')}"
    example["dataschema"] = f"{example['source']}{path(declared)}"


def _secrets(declared: EventType) -> frozenset[str]:
    entity = registry.current().get(EntityType, declared.name.partition(".")[0])
    return entity.secrets if entity else frozenset()
