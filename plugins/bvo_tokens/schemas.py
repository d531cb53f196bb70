"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validate

from bvo import registry
from bvo_hookspecs.entities import OPERATIONS


def _known_permission(name: str) -> None:
    artifact, _, operation = name.partition(":")
    known = registry.current().artifacts()
    if artifact not in known or operation not in OPERATIONS:
        raise ValidationError(
            f"There is no permission {name!r}. Write artifact:operation, e.g. `jobs:view`, with an artifact of:"
            f" {', '.join(sorted(known))}; and an operation of: {', '.join(OPERATIONS)}."
        )


class ApiTokenIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 100), metadata={"example": "deployment"})
    user_id = fields.Integer(
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "For whom it acts: a service account, a user whom you may change; left out: yourself"},
    )
    scopes = fields.List(
        fields.String(validate=_known_permission, metadata={"example": "jobs:view"}),
        required=True,
        validate=validate.Length(1, 1000),
        metadata={"description": "Permissions such as `jobs:view`, of those that both you and the user have"},
    )
    expires_in_days = fields.Integer(strict=True, load_default=90, validate=validate.Range(1, 366))


class TokenUser(Schema):
    id = fields.Integer()
    username = fields.String(metadata={"example": "ci"})


class ApiTokenOut(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "deployment"})
    user_id = fields.Integer()
    user = fields.Nested(TokenUser)
    scopes = fields.List(fields.String(metadata={"example": "jobs:view"}))
    prefix = fields.String(metadata={"description": "How the token begins", "example": "bvok_0123"})
    token = fields.String(
        metadata={
            "description": "Shown once, when the token is created",
            "example": "bvok_0123456789abcdef",
            "x_optional": 201,
        }
    )
    created_by = fields.String(metadata={"example": "ada"})
    created_at = fields.AwareDateTime()
    expires_at = fields.AwareDateTime()
    last_used_at = fields.AwareDateTime(allow_none=True, metadata={"description": "To the minute"})
    last_used_ip = fields.String(allow_none=True, metadata={"label": "Last used from", "example": "192.0.2.7"})
