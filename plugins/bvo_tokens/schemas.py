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
    name = fields.String(required=True, validate=validate.Length(1, 100))
    user_id = fields.Integer(
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "For whom it acts: a service account, a user whom you may change; left out: yourself"},
    )
    scopes = fields.List(
        fields.String(validate=_known_permission),
        required=True,
        validate=validate.Length(1, 1000),
        metadata={"description": "Permissions such as `jobs:view`, of those that both you and the user have"},
    )
    expires_in_days = fields.Integer(strict=True, load_default=90, validate=validate.Range(1, 366))


class TokenUser(Schema):
    id = fields.Integer()
    username = fields.String()


class ApiTokenOut(Schema):
    id = fields.Integer()
    name = fields.String()
    user_id = fields.Integer()
    user = fields.Nested(TokenUser)
    scopes = fields.List(fields.String())
    prefix = fields.String(metadata={"description": "How the token begins"})
    token = fields.String(metadata={"description": "Shown once, when the token is created"})
    created_by = fields.String()
    created_at = fields.AwareDateTime()
    expires_at = fields.AwareDateTime()
    last_used_at = fields.AwareDateTime(metadata={"description": "To the minute"})
    last_used_ip = fields.String(metadata={"label": "Last used from"})
