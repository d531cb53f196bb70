"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class CredentialIn(Schema):
    username = fields.String(required=True, validate=validate.Length(1, 500))
    password = fields.String(required=True, load_only=True, validate=validate.Length(1, 64 * 1024))


class RobotIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200))
    machine_id = fields.Integer(allow_none=True, validate=validate.Range(1, 2**31 - 1))
    machine_info = fields.String(allow_none=True, validate=validate.Length(max=500))
    credential = fields.Nested(
        CredentialIn, allow_none=True, metadata={"description": "For unattended login; kept as a credential asset"}
    )


class RobotOut(Schema):
    id = fields.Integer()
    name = fields.String()
    status = fields.String()
    machine_id = fields.Integer()
    machine_info = fields.String()
    credential_asset_id = fields.Integer()
    is_draining = fields.Boolean(metadata={"description": "It ends what it runs, and gets nothing new"})
    last_heartbeat = fields.AwareDateTime()
    current_job_id = fields.Integer(dump_default=None)
    api_token = fields.String(metadata={"description": "Shown once, when the robot is created"})
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
