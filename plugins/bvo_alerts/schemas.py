"""What the API takes and gives."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from . import conditions
from .models import STATES

CONDITION = {"description": "What it watches; plugins add others", "example": "robot_offline"}
PARAMETERS = {"description": "As the condition wants them", "example": {"longer_than_minutes": 10}}


def _known(name: str) -> None:
    if name not in (names := sorted(conditions.known())):
        raise ValidationError(f"There is no condition {name!r}. Use one of: {', '.join(names)}.")


class AlertRuleIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "Silent robots"})
    condition = fields.String(required=True, validate=_known, metadata=CONDITION)
    parameters: fields.Field[Any] = fields.Dict(keys=fields.String(), metadata=PARAMETERS)
    is_active = fields.Boolean()


class AlertRuleSummary(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "Silent robots"})


class AlertRuleOut(AlertRuleSummary):
    condition = fields.String(metadata=CONDITION)
    watches = fields.String(metadata={"description": "The condition, for people", "example": "Robot offline"})
    parameters = fields.Dict(metadata=PARAMETERS)
    is_active = fields.Boolean()
    watching_since = fields.AwareDateTime(
        metadata={"description": "When it was made, made active again, or given other parameters"}
    )
    last_error = fields.String(
        allow_none=True, metadata={"description": "Why it can't be judged, or not as a whole", "example": None}
    )
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class AlertOut(Schema):
    id = fields.Integer()
    rule = fields.Nested(AlertRuleSummary)
    condition = fields.String(metadata=CONDITION)
    subject = fields.String(metadata={"description": "What it is about", "example": "robot/3"})
    subject_name = fields.String(metadata={"label": "About", "example": "robot-3"})
    message = fields.String(metadata={"example": "robot-3 is offline. It was last heard of at 2026-11-02 08:30 UTC."})
    status = fields.String(validate=validate.OneOf(STATES), metadata={"example": "open"})
    raised_at = fields.AwareDateTime()
    resolved_at = fields.AwareDateTime(allow_none=True, metadata={"example": None})


class Parameters(fields.Nested):
    """A form's fields for the parameters of a condition, by its schema; what was entered, as plain JSON again."""

    def _deserialize(self, *args: Any, **options: Any) -> Any:
        return self.schema.dump(super()._deserialize(*args, **options))
