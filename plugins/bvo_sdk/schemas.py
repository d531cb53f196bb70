"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields, validate

SECRET = validate.Length(1, 200)


class SdkStartIn(Schema):
    class Meta:
        unknown = EXCLUDE

    machine_name = fields.String(required=True, validate=validate.Length(1, 200))
    code_challenge = fields.String(
        validate=validate.Regexp(r"[A-Za-z0-9_-]{43}\Z", error="Send the SHA-256 of the verifier in URL-safe base64."),
        metadata={"description": "PKCE (S256): then only who knows the verifier gets the token"},
    )


class SdkStartOut(Schema):
    session_id = fields.String()
    expires_at = fields.AwareDateTime()
    verification_url = fields.String()
    user_code = fields.String()


class SdkSessionIn(Schema):
    class Meta:
        unknown = EXCLUDE

    session_id = fields.String(required=True, validate=SECRET)


class SdkStatusIn(SdkSessionIn):
    code_verifier = fields.String(validate=SECRET)


class SdkUser(Schema):
    id = fields.Integer()
    username = fields.String()


class SdkStatus(Schema):
    status = fields.String(metadata={"description": "pending, confirmed or expired"})
    access_token = fields.String()
    expires_at = fields.AwareDateTime()
    user = fields.Nested(SdkUser)


class SdkOk(Schema):
    status = fields.String()
