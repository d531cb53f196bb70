"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields


class LoginIn(Schema):
    """The OAuth2 password form; clients may send its other fields (`grant_type`, `scope`), which say nothing here."""

    class Meta:
        unknown = EXCLUDE

    username = fields.String(required=True)
    password = fields.String(required=True)


class TokenOut(Schema):
    access_token = fields.String()
    token_type = fields.String()


class MeUser(Schema):
    id = fields.Integer()
    username = fields.String()
    email = fields.String()
    is_admin = fields.Boolean()


class MeRole(Schema):
    id = fields.Integer()
    name = fields.String()


class MePermissions(Schema):
    by_artifact = fields.Dict(keys=fields.String(), values=fields.Dict(keys=fields.String(), values=fields.Boolean()))
    flat = fields.Dict(keys=fields.String(), values=fields.Boolean())


class MeOut(Schema):
    user = fields.Nested(MeUser)
    roles = fields.List(fields.Nested(MeRole))
    permissions = fields.Nested(MePermissions)
