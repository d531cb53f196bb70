"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields, validate

from bvo_access.schemas import MAX_PASSWORD, USERNAME, check_policy


class LoginIn(Schema):
    """The OAuth2 password form; clients may send its other fields, such as `grant_type`, which say nothing here."""

    class Meta:
        unknown = EXCLUDE

    username = fields.String(required=True)
    password = fields.String(required=True)
    scope = fields.String(metadata={"description": "`offline_access` asks for a refresh token"})


class RegisterIn(Schema):
    """The names of the reference's clients: `fullName`, and `role` for a person's occupation, which grants nothing."""

    username = fields.String(required=True, validate=USERNAME)
    email = fields.Email(allow_none=True, validate=validate.Length(max=254))
    full_name = fields.String(data_key="fullName", allow_none=True, validate=validate.Length(max=200))
    organization = fields.String(allow_none=True, validate=validate.Length(max=200))
    job_title = fields.String(data_key="role", allow_none=True, validate=validate.Length(max=200))
    password = fields.String(required=True, validate=(validate.Length(max=MAX_PASSWORD), check_policy))


class RegisterOut(Schema):
    id = fields.Integer()
    username = fields.String()


class ForgotIn(Schema):
    username = fields.String(required=True, validate=validate.Length(1, 150))
    email = fields.String(allow_none=True, validate=validate.Length(max=254))
    new_password = fields.String(
        data_key="newPassword", allow_none=True, validate=(validate.Length(max=MAX_PASSWORD), check_policy)
    )


class ResetIn(Schema):
    token = fields.String(required=True, validate=validate.Length(1, 200))
    new_password = fields.String(
        data_key="newPassword", required=True, validate=(validate.Length(max=MAX_PASSWORD), check_policy)
    )


class OkOut(Schema):
    status = fields.String()


class RefreshIn(Schema):
    refresh_token = fields.String(required=True, validate=validate.Length(1, 2000))


class TokenOut(Schema):
    access_token = fields.String()
    token_type = fields.String()
    expires_in = fields.Integer(metadata={"description": "How long the access token holds, in seconds"})
    refresh_token = fields.String(metadata={"description": "Where `scope` asked for it. It works once"})


class SessionOut(Schema):
    id = fields.Integer()
    user_id = fields.Integer()
    username = fields.String()
    kind = fields.String(metadata={"description": "browser, api or sdk"})
    client = fields.String(metadata={"description": "What the client says of itself"})
    ip_address = fields.String(metadata={"description": "Where the login came from"})
    created_at = fields.AwareDateTime()
    last_used_at = fields.AwareDateTime(metadata={"description": "Within five minutes"})
    expires_at = fields.AwareDateTime()


class OwnSessionOut(SessionOut):
    current = fields.Boolean(metadata={"description": "Whether it is that of this request"})


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
