"""What teaches the next step: in place of an empty list, with the command for its first row, and after a creation."""

from __future__ import annotations

import json
import shlex
from typing import Any

from marshmallow import fields, validate

from bvo_hookspecs import EntityType

TEMPLATE, CREATED_TEMPLATE = "webui/empty_list.html", "webui/created.html"
SAMPLES: tuple[tuple[type[fields.Field[Any]], Any], ...] = (
    (fields.Boolean, True),
    (fields.Integer, 1),
    (fields.Number, 0.5),
    (fields.Date, "2026-11-02"),
    (fields.Time, "08:30"),
    (fields.DateTime, "2026-11-02T08:30:00Z"),
    (fields.Email, "ada@example.com"),
    (fields.Url, "https://example.com/"),
    (fields.List, []),
    (fields.Dict, {}),
)


def template_of(entity: EntityType) -> str:
    """What stands in place of an empty list: the service may have a template of its own, which extends ours."""
    return str(getattr(entity.service, "empty_template", TEMPLATE))


def created_template_of(entity: EntityType) -> str:
    """What shows a row's new secrets, this once: the service may have a template of its own, which extends ours."""
    return str(getattr(entity.service, "created_template", CREATED_TEMPLATE))


def command(entity: EntityType, server_url: str) -> str:
    """The call of the API that makes a row; empty where the API makes none by JSON."""
    if entity.write_schema is None or not entity.has("create") or "create" in entity.views:
        return ""
    body = {name: _sample(field) for name, field in entity.write_schema().load_fields.items() if field.required}
    sent = shlex.quote(json.dumps(body, ensure_ascii=False))
    return f'curl -H "Authorization: Bearer $TOKEN" --json {sent} \\\n  {server_url}/api/{entity.url}'


def _sample(field: fields.Field[Any]) -> Any:
    if "example" in field.metadata:
        return field.metadata["example"]
    for validator in field.validators:
        if isinstance(validator, validate.OneOf):
            return next(iter(validator.choices))
    return next((sample for kind, sample in SAMPLES if isinstance(field, kind)), "a text")
