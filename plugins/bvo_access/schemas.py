"""What the API takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from bvo import registry, settings

from . import passwords

USERNAME = validate.Regexp(
    r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,149}\Z",
    error="Use letters, digits and . _ @ + -, at most 150, beginning with a letter or digit.",
)
MAX_PASSWORD = 1024
NEW_PASSWORD = {"example": "correct horse battery staple", "minLength": 8}
"""The settings may ask for more than 8 characters, never for less."""


def check_policy(password: str) -> None:
    """Raise ValidationError for a password that the settings do not allow, or that everybody tries first."""
    least = settings.get("security.password_min_length")
    if len(password) < least:
        raise ValidationError(f"Use at least {least} characters.")
    if password.lower() in passwords.COMMON:
        raise ValidationError("This password is one of those that are tried first. Choose another one.")


def _known_artifact(name: str) -> None:
    known = registry.current().artifacts()
    if name not in known:
        raise ValidationError(f"There is no artifact {name!r}; there are: {', '.join(sorted(known))}.")


class PermissionIn(Schema):
    artifact = fields.String(required=True, validate=_known_artifact, metadata={"example": "jobs"})
    can_view = fields.Boolean(load_default=False)
    can_create = fields.Boolean(load_default=False)
    can_edit = fields.Boolean(load_default=False)
    can_delete = fields.Boolean(load_default=False)


class PermissionOut(Schema):
    id = fields.Integer()
    artifact = fields.String(metadata={"example": "jobs"})
    can_view = fields.Boolean()
    can_create = fields.Boolean()
    can_edit = fields.Boolean()
    can_delete = fields.Boolean()


class RoleIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 100), metadata={"example": "Operator"})
    description = fields.String(
        allow_none=True, validate=validate.Length(max=1000), metadata={"example": "Starts and cancels jobs"}
    )
    permissions = fields.List(
        fields.Nested(PermissionIn),
        validate=validate.Length(max=1000),
        metadata={"example": [{"artifact": "jobs", "can_view": True, "can_create": True}]},
    )


class RoleOut(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "Operator"})
    description = fields.String(allow_none=True, metadata={"example": "Starts and cancels jobs"})
    permissions = fields.List(fields.Nested(PermissionOut))
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class UserIn(Schema):
    username = fields.String(required=True, validate=USERNAME, metadata={"example": "ada"})
    email = fields.Email(allow_none=True, validate=validate.Length(max=254), metadata={"example": "ada@example.com"})
    full_name = fields.String(allow_none=True, validate=validate.Length(max=200))
    organization = fields.String(allow_none=True, validate=validate.Length(max=200))
    job_title = fields.String(allow_none=True, validate=validate.Length(max=200))
    password = fields.String(
        load_only=True,
        validate=(validate.Length(max=MAX_PASSWORD), check_policy),
        metadata={**NEW_PASSWORD, "description": "People must have one; service accounts have none"},
    )
    is_active = fields.Boolean()
    is_service = fields.Boolean(
        metadata={"label": "Service account", "description": "It never logs in. Stays as it was created"}
    )

    @validates_schema
    def _people_have_a_password(self, data: Mapping[str, Any], *, partial: Any, **kwargs: Any) -> None:
        if not partial and not data.get("is_service") and "password" not in data:
            raise ValidationError("Missing data for required field.", "password")


class UserOut(Schema):
    id = fields.Integer()
    username = fields.String(metadata={"example": "ada"})
    email = fields.String(allow_none=True, metadata={"example": "ada@example.com"})
    full_name = fields.String(allow_none=True, metadata={"example": "Ada Lovelace"})
    organization = fields.String(allow_none=True, metadata={"example": "Example Ltd"})
    job_title = fields.String(allow_none=True, metadata={"example": "Analyst"})
    is_active = fields.Boolean()
    is_service = fields.Boolean(metadata={"label": "Service account"})
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class AssignmentIn(Schema):
    role_ids = fields.List(
        fields.Integer(validate=validate.Range(1, 2**31 - 1)), required=True, validate=validate.Length(max=100)
    )


class UserForm(UserIn):
    """What the web UI's form asks for: the user and the roles."""

    role_ids = fields.List(fields.Integer(validate=validate.Range(1, 2**31 - 1)), validate=validate.Length(max=100))


def role_form() -> Schema:
    """What the web UI's form asks for: a row of boxes for each artifact that there is."""
    artifact = fields.String(required=True, validate=validate.OneOf(sorted(registry.current().artifacts())))
    row = PermissionIn.from_dict({"artifact": artifact})
    permissions = fields.List(fields.Nested(row), validate=validate.Length(max=1000))
    return RoleIn.from_dict({"permissions": permissions})()


class AssignmentOut(Schema):
    user = fields.Nested(UserOut)
    roles = fields.List(fields.Nested(RoleOut))
