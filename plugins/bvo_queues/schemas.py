"""What the API takes and gives."""

from __future__ import annotations

import json
from typing import Any

from marshmallow import Schema, fields, validate

from . import states

ID = validate.Range(1, 2**31 - 1)


class JsonValue(fields.Raw):
    """Any JSON value. A string that holds JSON is taken as that JSON: clients of the reference send it so."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value


class QueueIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200))
    description = fields.String(allow_none=True, validate=validate.Length(max=2000))
    is_active = fields.Boolean()
    max_retries = fields.Integer(validate=validate.Range(0, 100))


class QueueOut(Schema):
    id = fields.Integer()
    name = fields.String()
    description = fields.String()
    is_active = fields.Boolean()
    max_retries = fields.Integer()
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class QueueItemIn(Schema):
    queue_id = fields.Integer(validate=ID)
    queue_name = fields.String(metadata={"description": "Instead of queue_id"})
    reference = fields.String(allow_none=True, validate=validate.Length(max=200))
    priority = fields.Integer(validate=validate.Range(-1_000_000, 1_000_000))
    payload = JsonValue(allow_none=True)
    status = fields.String(validate=validate.OneOf(states.STATES), metadata={"description": "Only when changing one"})
    result = JsonValue(allow_none=True)
    error_message = fields.String(allow_none=True, validate=validate.Length(max=10_000))


class QueueItemOut(Schema):
    id = fields.Integer()
    queue_id = fields.Integer()
    reference = fields.String()
    status = fields.String()
    priority = fields.Integer()
    payload = fields.Raw()
    result = fields.Raw()
    error_message = fields.String()
    retries = fields.Integer()
    locked_by_robot_id = fields.Integer()
    locked_at = fields.AwareDateTime()
    job_id = fields.Integer()
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
