"""The conditions that plugins offer, and the parameters that rules have for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request
from marshmallow import Schema

from bvo import registry
from bvo.entities import parser
from bvo.plugins import Plugin
from bvo_hookspecs import AlertCondition


def known() -> Mapping[str, AlertCondition]:
    return registry.current().of(AlertCondition)


def owned(name: str) -> tuple[Plugin, AlertCondition] | None:
    """The condition with its plugin; None where none that is loaded has it."""
    every = registry.current().every(AlertCondition)
    return next((pair for pair in every if pair[1].name == name), None)


def label_of(name: str) -> str:
    condition = known().get(name)
    return condition.label if condition else name


def absent(name: str) -> str:
    """What to say where no plugin that is loaded has it."""
    return f"No plugin that is loaded has the condition {name}. Enable or install its plugin, or delete this rule."


def checked(condition: AlertCondition, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as they are kept: whole, and plain JSON. Raises ValidationError for what the condition refuses."""
    schema: Schema = condition.parameters()
    typed = parser.pre_load(parameters, schema=schema, req=request, location="json")
    kept: dict[str, Any] = schema.dump(schema.load(typed))
    return kept
