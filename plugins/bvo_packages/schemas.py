"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields

SHA256 = {"pattern": "^[0-9a-f]{64}$", "example": "9f86d081" * 8}


class PackageIn(Schema):
    """Changing a package: only `is_active` can differ from what was uploaded."""

    name = fields.String()
    version = fields.String()
    is_active = fields.Boolean(metadata={"example": False})


class PackageOut(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "report"})
    version = fields.String(metadata={"example": "1.2.3"})
    is_active = fields.Boolean()
    scripts = fields.List(fields.String(), metadata={"example": ["main.py", "jobs/daily.py"]})
    sha256 = fields.String(metadata=SHA256)
    size_bytes = fields.Integer(metadata={"example": 2048})
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
