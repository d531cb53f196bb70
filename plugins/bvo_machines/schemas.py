"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

MODES = ("runner", "agent")


class MachineIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200))
    mode = fields.String(load_default="runner", validate=validate.OneOf(MODES))


class MachineOut(Schema):
    id = fields.Integer()
    name = fields.String()
    mode = fields.String()
    status = fields.String()
    last_seen_at = fields.AwareDateTime()
    robot_count = fields.Integer(dump_default=0)
    machine_key = fields.String(metadata={"description": "Shown once, when the machine is created"})
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
