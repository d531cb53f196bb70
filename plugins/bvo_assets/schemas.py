"""What the API takes and gives."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

TYPES = ("text", "int", "boolean", "secret", "credential")
LABELS = ("Text", "Number", "Yes or no", "Secret", "Credential")
ALIASES = {"bool": "boolean", "integer": "int", "string": "text"}
SECRET_TYPES = ("secret", "credential")
LENGTH = validate.Length(max=64 * 1024)


class AssetType(fields.String):
    """A type in any casing; `bool` is `boolean`."""

    def __init__(self, **options: Any) -> None:
        described = {"enum": list(TYPES), "example": "text", "description": "In any casing; also bool, integer, string"}
        super().__init__(**options, metadata=described)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs).lower()
        known = ALIASES.get(text, text)
        if known not in TYPES:
            raise ValidationError(f"Invalid asset type. Use one of: {', '.join(TYPES)}.")
        return known


class Scalar(fields.Field[str]):
    """A value as text; clients may send a JSON number or truth value as well."""

    def __init__(self, **options: Any) -> None:
        described = {"type": ["string", "integer", "boolean"], "example": "https://erp.example.com"}
        super().__init__(**options, metadata=described)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str | int):
            return str(value)
        raise ValidationError("Send a text, a whole number or a truth value.")


class AssetIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "erp-url"})
    type: fields.Field[str] = AssetType(required=True)
    description = fields.String(allow_none=True, validate=validate.Length(max=2000))
    value: fields.Field[Any] = Scalar(allow_none=True, validate=LENGTH)
    username = fields.String(allow_none=True, validate=validate.Length(max=500))
    password = fields.String(allow_none=True, load_only=True, validate=LENGTH)
    process_ids = fields.List(
        fields.Integer(validate=validate.Range(1, 2**31 - 1)),
        metadata={"description": "Only the jobs of these processes may use it; empty: those of every process"},
    )


class AssetForm(AssetIn):
    """What the web UI's form asks for first."""

    type = fields.String(
        required=True, validate=validate.OneOf(TYPES, labels=(*LABELS[:-1], "Credential: user name and password"))
    )


class TextForm(AssetIn):
    """What it asks for then, for each type."""

    class Meta:
        fields = ("name", "value", "description", "process_ids")

    value: fields.Field[Any] = fields.String(allow_none=True, validate=LENGTH)


class NumberForm(TextForm):
    value = fields.Integer(required=True)


class FlagForm(TextForm):
    value = fields.String(required=True, validate=validate.OneOf(("true", "false"), labels=("Yes", "No")))


class SecretForm(TextForm):
    value = fields.String(required=True, load_only=True, validate=LENGTH)


class CredentialForm(AssetIn):
    class Meta:
        fields = ("name", "username", "password", "description", "process_ids")

    password = fields.String(required=True, load_only=True, validate=LENGTH)


FORMS: dict[str, type[Schema]] = {
    "text": TextForm,
    "int": NumberForm,
    "boolean": FlagForm,
    "secret": SecretForm,
    "credential": CredentialForm,
}


class AssetOut(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "erp-url"})
    type = fields.String(validate=validate.OneOf(TYPES, labels=LABELS))
    value = fields.String(
        allow_none=True,
        metadata={"description": "*** for secrets and credentials", "example": "https://erp.example.com"},
    )
    username = fields.String(allow_none=True, metadata={"description": "Of a credential", "example": None})
    is_secret = fields.Boolean(metadata={"example": False})
    description = fields.String(allow_none=True, metadata={"example": "Where the ERP system is"})
    process_ids = fields.List(fields.Integer())
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class RevealedOut(Schema):
    name = fields.String(metadata={"example": "erp-login"})
    type = fields.String(validate=validate.OneOf(TYPES), metadata={"example": "credential"})
    value = fields.Raw(
        allow_none=True,
        metadata={
            "type": ["string", "integer", "boolean"],
            "description": "Typed: a text, a number or a truth value; a credential has none",
            "x_optional": "not beside username and password",
        },
    )
    username = fields.String(
        allow_none=True, metadata={"description": "Of a credential", "example": "robot", "x_optional": True}
    )
    password = fields.String(metadata={"description": "Of a credential", "example": "s3cret", "x_optional": True})
