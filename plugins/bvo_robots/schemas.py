"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

STATUSES = ("online", "offline")


class CredentialIn(Schema):
    username = fields.String(required=True, validate=validate.Length(1, 500), metadata={"example": "EXAMPLE\\robot"})
    password = fields.String(
        required=True, load_only=True, validate=validate.Length(1, 64 * 1024), metadata={"example": "s3cret"}
    )


class RobotIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "robot-1"})
    machine_id = fields.Integer(allow_none=True, validate=validate.Range(1, 2**31 - 1))
    machine_info = fields.String(allow_none=True, validate=validate.Length(max=500))
    credential = fields.Nested(
        CredentialIn, allow_none=True, metadata={"description": "For unattended login; kept as a credential asset"}
    )


class RobotOut(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "robot-1"})
    status = fields.String(validate=validate.OneOf(STATUSES))
    machine_id = fields.Integer(allow_none=True)
    machine_info = fields.String(allow_none=True, metadata={"example": "Windows 11, 16 GB"})
    credential_asset_id = fields.Integer(allow_none=True)
    is_draining = fields.Boolean(metadata={"description": "It ends what it runs, and gets nothing new"})
    last_heartbeat = fields.AwareDateTime(allow_none=True)
    current_job_id = fields.Integer(dump_default=None, allow_none=True)
    api_token = fields.String(
        metadata={
            "description": "Shown once, when the robot is created",
            "example": "bvor_0123456789abcdef",
            "x_optional": 201,
        }
    )
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
