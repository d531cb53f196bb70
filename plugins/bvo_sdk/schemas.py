"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields, validate

SECRET = validate.Length(1, 200)
SESSION_ID = {"example": "bvos_0123456789abcdef"}


class SdkStartIn(Schema):
    class Meta:
        unknown = EXCLUDE

    machine_name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "DEV-HOST-01"})
    code_challenge = fields.String(
        validate=validate.Regexp(r"[A-Za-z0-9_-]{43}\Z", error="Send the SHA-256 of the verifier in URL-safe base64."),
        metadata={"description": "PKCE (S256): then only who knows the verifier gets the token"},
    )


class SdkStartOut(Schema):
    session_id = fields.String(metadata=SESSION_ID)
    expires_at = fields.AwareDateTime()
    verification_url = fields.String(
        metadata={"example": "https://bvo.example.com/sdk-auth?session_id=bvos_0123456789"}
    )
    user_code = fields.String(metadata={"example": "BCDF-GHJK"})


class SdkSessionIn(Schema):
    class Meta:
        unknown = EXCLUDE

    session_id = fields.String(required=True, validate=SECRET, metadata=SESSION_ID)


class SdkStatusIn(SdkSessionIn):
    code_verifier = fields.String(validate=SECRET)


class SdkUser(Schema):
    id = fields.Integer()
    username = fields.String(metadata={"example": "ada"})


class SdkStatus(Schema):
    """`access_token`, `expires_at` and `user` are there once it is confirmed."""

    status = fields.String(validate=validate.OneOf(("confirmed", "pending", "expired")))
    access_token = fields.String(
        metadata={"example": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "x_optional": True}
    )
    expires_at = fields.AwareDateTime(metadata={"x_optional": True})
    user = fields.Nested(SdkUser, metadata={"x_optional": True})


class SdkOk(Schema):
    status = fields.String(validate=validate.Equal("ok"))
