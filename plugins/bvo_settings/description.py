"""What a client needs to show and to check settings: the JSON Schema of each group, also in OpenAPI."""

from __future__ import annotations

from typing import Any, cast

from flask import Flask
from flask.blueprints import BlueprintSetupState

from bvo import registry, settings
from bvo.openapi import json_schemas
from bvo_hookspecs import Setting, SettingsGroup

COMPONENTS = "#/components/schemas/settings."
GROUP = {
    "description": "The values of a group",
    "content": {
        "application/json": {
            "schema": {"$ref": f"{COMPONENTS}AnyGroup"},
        }
    },
}
EVERY_GROUP = {
    "description": "The values of every group",
    "content": {
        "application/json": {
            "schema": {"$ref": f"{COMPONENTS}EveryGroup"},
        }
    },
}


def groups() -> dict[str, dict[str, Any]]:
    """Type, limits, default, unit and help of each key, by group."""
    labels = registry.current().of(SettingsGroup)
    return {
        name: {
            "title": labels[name].label,
            "type": "object",
            "properties": {key: _property(setting) for key, setting in declared.items()},
            "additionalProperties": False,
        }
        for name, declared in settings.groups().items()
    }


def add_to_openapi(state: BlueprintSetupState) -> None:
    """Name the groups of this app in its OpenAPI document."""
    app = cast(Flask, state.app)
    components = app.extensions["bvo_api"].spec.components
    with app.app_context():
        described = groups()
    references = {name: {"$ref": f"{COMPONENTS}{name}"} for name in described}
    for name, schema in described.items():
        components.schema(f"settings.{name}", schema)
    components.schema("settings.AnyGroup", {"anyOf": list(references.values())})
    components.schema("settings.EveryGroup", {"type": "object", "properties": references})


def _property(setting: Setting) -> dict[str, Any]:
    described = json_schemas.of_field(setting.field)
    shown = {**described, "description": setting.help, "default": setting.default}
    if setting.unit:
        shown["x-unit"] = setting.unit
    if setting.secret:
        shown["format"] = "password"
    return shown
