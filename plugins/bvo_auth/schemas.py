"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields, validate

from bvo.session_store import KINDS
from bvo_access.schemas import MAX_PASSWORD, NEW_PASSWORD, USERNAME, check_policy

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


class LoginIn(Schema):
    """The OAuth2 password form; clients may send its other fields, such as `grant_type`, which say nothing here."""

    class Meta:
        unknown = EXCLUDE

    username = fields.String(required=True, metadata={"example": "ada"})
    password = fields.String(required=True, metadata={"example": "correct horse battery staple"})
    scope = fields.String(
        metadata={"description": "`offline_access` asks for a refresh token", "example": "offline_access"}
    )


class RegisterIn(Schema):
    """The names of the reference's clients: `fullName`, and `role` for a person's occupation, which grants nothing."""

    username = fields.String(required=True, validate=USERNAME, metadata={"example": "ada"})
    email = fields.Email(allow_none=True, validate=validate.Length(max=254), metadata={"example": "ada@example.com"})
    full_name = fields.String(data_key="fullName", allow_none=True, validate=validate.Length(max=200))
    organization = fields.String(allow_none=True, validate=validate.Length(max=200))
    job_title = fields.String(data_key="role", allow_none=True, validate=validate.Length(max=200))
    password = fields.String(
        required=True,
        validate=(validate.Length(max=MAX_PASSWORD), check_policy),
        metadata=NEW_PASSWORD,
    )


class RegisterOut(Schema):
    id = fields.Integer()
    username = fields.String(metadata={"example": "ada"})


class ForgotIn(Schema):
    username = fields.String(required=True, validate=validate.Length(1, 150), metadata={"example": "ada"})
    email = fields.String(allow_none=True, validate=validate.Length(max=254), metadata={"example": "ada@example.com"})
    new_password = fields.String(
        data_key="newPassword",
        allow_none=True,
        validate=(validate.Length(max=MAX_PASSWORD), check_policy),
        metadata=NEW_PASSWORD,
    )


class ResetIn(Schema):
    token = fields.String(
        required=True, validate=validate.Length(1, 200), metadata={"example": "bvop_0123456789abcdef"}
    )
    new_password = fields.String(
        data_key="newPassword",
        required=True,
        validate=(validate.Length(max=MAX_PASSWORD), check_policy),
        metadata=NEW_PASSWORD,
    )


class OwnPasswordIn(Schema):
    """What the page of one's own account asks for."""

    current_password = fields.String(
        required=True,
        load_only=True,
        validate=validate.Length(max=MAX_PASSWORD),
        metadata={"autocomplete": "current-password"},
    )
    new_password = fields.String(
        required=True, load_only=True, validate=(validate.Length(max=MAX_PASSWORD), check_policy)
    )


class OkOut(Schema):
    status = fields.String(validate=validate.Equal("ok"))


class RefreshIn(Schema):
    refresh_token = fields.String(required=True, validate=validate.Length(1, 2000), metadata={"example": JWT})


class TokenOut(Schema):
    access_token = fields.String(metadata={"example": JWT})
    token_type = fields.String(validate=validate.Equal("bearer"))
    expires_in = fields.Integer(metadata={"description": "How long the access token holds, in seconds"})
    refresh_token = fields.String(
        metadata={"description": "Where `scope` asked for it. It works once", "example": JWT, "x_optional": True}
    )


class SessionOut(Schema):
    id = fields.Integer()
    user_id = fields.Integer()
    username = fields.String(metadata={"example": "ada"})
    kind = fields.String(validate=validate.OneOf(KINDS), metadata={"example": "browser"})
    client = fields.String(
        allow_none=True, metadata={"description": "What the client says of itself", "example": "Mozilla/5.0"}
    )
    ip_address = fields.String(
        allow_none=True, metadata={"description": "Where the login came from", "example": "192.0.2.7"}
    )
    created_at = fields.AwareDateTime()
    last_used_at = fields.AwareDateTime(metadata={"description": "Within five minutes"})
    expires_at = fields.AwareDateTime()


class OwnSessionOut(SessionOut):
    current = fields.Boolean(metadata={"description": "Whether it is that of this request"})


class MeUser(Schema):
    id = fields.Integer()
    username = fields.String(metadata={"example": "ada"})
    email = fields.String(allow_none=True, metadata={"example": "ada@example.com"})
    is_admin = fields.Boolean(metadata={"example": False})


class MeRole(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "Operator"})


class MePermissions(Schema):
    by_artifact = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.Boolean()),
        metadata={"example": {"jobs": {"view": True, "create": True, "edit": True, "delete": False}}},
    )
    flat = fields.Dict(
        keys=fields.String(), values=fields.Boolean(), metadata={"example": {"jobs:view": True, "jobs:delete": False}}
    )


class MeOut(Schema):
    user = fields.Nested(MeUser)
    roles = fields.List(fields.Nested(MeRole))
    permissions = fields.Nested(MePermissions)
