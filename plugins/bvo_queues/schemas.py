"""What the API takes and gives."""

from __future__ import annotations

import json
from typing import Any

from marshmallow import Schema, fields, validate

from . import states

ID = validate.Range(1, 2**31 - 1)
CHANGING = {"x_only": "update"}


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
    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "invoices"})
    description = fields.String(allow_none=True, validate=validate.Length(max=2000))
    is_active = fields.Boolean()
    max_retries = fields.Integer(validate=validate.Range(0, 100))


class QueueOut(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "invoices"})
    description = fields.String(allow_none=True, metadata={"example": "Invoices to be booked"})
    is_active = fields.Boolean()
    max_retries = fields.Integer()
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class QueueItemIn(Schema):
    queue_id = fields.Integer(validate=ID, metadata={"example": 1})
    queue_name = fields.String(metadata={"description": "Instead of queue_id"})
    reference = fields.String(allow_none=True, validate=validate.Length(max=200), metadata={"example": "INV-4711"})
    priority = fields.Integer(validate=validate.Range(-1_000_000, 1_000_000))
    payload = JsonValue(allow_none=True, metadata={"description": "Any JSON value", "example": {"amount": 99.5}})
    status = fields.String(validate=validate.OneOf(states.STATES), metadata=CHANGING)
    result = JsonValue(allow_none=True, metadata=CHANGING)
    error_message = fields.String(allow_none=True, validate=validate.Length(max=10_000), metadata=CHANGING)


class QueueItemOut(Schema):
    id = fields.Integer()
    queue_id = fields.Integer()
    reference = fields.String(allow_none=True, metadata={"example": "INV-4711"})
    status = fields.String(validate=validate.OneOf(states.STATES))
    priority = fields.Integer(metadata={"example": 0})
    payload = fields.Raw(allow_none=True, metadata={"description": "Any JSON value", "example": {"amount": 99.5}})
    result = fields.Raw(allow_none=True, metadata={"description": "Any JSON value", "example": None})
    error_message = fields.String(allow_none=True, metadata={"example": None})
    retries = fields.Integer(metadata={"example": 0})
    locked_by_robot_id = fields.Integer(allow_none=True, metadata={"example": None})
    locked_at = fields.AwareDateTime(allow_none=True, metadata={"example": None})
    job_id = fields.Integer(allow_none=True, metadata={"example": None})
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
