"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

MODES = ("runner", "agent")


class MachineIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "HOST-01"})
    mode = fields.String(load_default="runner", validate=validate.OneOf(MODES))


class MachineOut(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "HOST-01"})
    mode = fields.String(validate=validate.OneOf(MODES))
    status = fields.String(validate=validate.OneOf(("connected", "disconnected")))
    last_seen_at = fields.AwareDateTime(allow_none=True)
    robot_count = fields.Integer(dump_default=0)
    machine_key = fields.String(
        metadata={
            "description": "Shown once, when a machine of the mode runner is created or gets a new key",
            "example": "bvom_0123456789abcdef",
            "x_optional": 201,
        }
    )
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
