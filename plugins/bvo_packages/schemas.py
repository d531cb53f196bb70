"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields


class PackageIn(Schema):
    """Changing a package: only `is_active` can differ from what was uploaded."""

    name = fields.String()
    version = fields.String()
    is_active = fields.Boolean()


class PackageOut(Schema):
    id = fields.Integer()
    name = fields.String()
    version = fields.String()
    is_active = fields.Boolean()
    scripts = fields.List(fields.String())
    sha256 = fields.String()
    size_bytes = fields.Integer()
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
