"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields

SHA256 = {"pattern": "^[0-9a-f]{64}$", "example": "9f86d081" * 8}


class PackageIn(Schema):
    """Changing a package: only `is_active` can differ from what was uploaded."""

    name = fields.String()
    version = fields.String()
    is_active = fields.Boolean(metadata={"example": False})


class PackageForm(Schema):
    """What the web UI's form for an upload asks for."""

    file = fields.Raw(
        required=True,
        metadata={"format": "binary", "accept": ".zip", "description": "A zip, best named like report_1.2.3.zip"},
    )
    name = fields.String(load_default="", metadata={"description": "Where the file's name does not tell it"})
    version = fields.String(
        load_default="", metadata={"description": "Likewise, of the form 1.2.3", "example": "1.2.3"}
    )


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
