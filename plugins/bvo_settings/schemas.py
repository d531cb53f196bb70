"""What the API takes and gives beside the groups, whose schemas follow from their declarations."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema, fields, validate

from .groups import one_line


class ValuesIn(Schema):
    """Values by name; the service checks them, as it knows the group."""

    class Meta:
        unknown = INCLUDE


class MailTestIn(Schema):
    to = fields.Email(required=True, validate=(validate.Length(max=254), one_line))


class OkOut(Schema):
    status = fields.String(validate=validate.Equal("ok"))
