"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate


class HolidayIn(Schema):
    date = fields.Date(required=True)
    name = fields.String(required=True, validate=validate.Length(1, 200))
    region = fields.String(load_default="", validate=validate.Length(max=100))


class HolidayOut(Schema):
    id = fields.Integer()
    date = fields.Date()
    name = fields.String()
    region = fields.String()
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
