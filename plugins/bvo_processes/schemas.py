"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from bvo_packages.schemas import PackageOut


class ProcessIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200))
    description = fields.String(allow_none=True, validate=validate.Length(max=2000))
    package_id = fields.Integer(required=True, validate=validate.Range(1, 2**31 - 1))
    script_path = fields.String(
        required=True,
        validate=validate.Length(max=500),
        metadata={"description": "The path of a .py file in the package"},
    )
    is_active = fields.Boolean()


class ProcessSummary(Schema):
    """A process as other entities show it."""

    id = fields.Integer()
    name = fields.String()
    description = fields.String()
    package_id = fields.Integer()
    script_path = fields.String()
    is_active = fields.Boolean()
    version = fields.Integer()
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class ProcessOut(ProcessSummary):
    package = fields.Nested(PackageOut)
