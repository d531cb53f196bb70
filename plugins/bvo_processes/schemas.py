"""What the API takes and gives."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from bvo.forms import json_schema
from bvo_packages.schemas import PackageOut

TIMEOUT = fields.Integer(
    allow_none=True,
    validate=validate.Range(1, 30 * 86_400),
    metadata={"description": "How long a job may run, in seconds"},
)
MAX_ATTEMPTS = fields.Integer(
    validate=validate.Range(1, 100),
    metadata={"description": "How often a job may be started: with 1, one whose robot is lost fails"},
)
RETRY_DELAY = fields.Integer(
    validate=validate.Range(0, 86_400),
    metadata={"description": "Seconds to wait before the second attempt; twice as long before each further one"},
)


def _describes_an_object(described: dict[str, Any]) -> None:
    try:
        json_schema.check(described)
    except ValueError as error:
        raise ValidationError(str(error)) from None


PARAMETERS = {
    "description": "JSON Schema of a job's parameters: the form for a new job asks for them one by one",
    "example": {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}},
}


class ProcessIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "Daily report"})
    description = fields.String(allow_none=True, validate=validate.Length(max=2000))
    package_id = fields.Integer(required=True, validate=validate.Range(1, 2**31 - 1))
    script_path = fields.String(
        required=True,
        validate=validate.Length(max=500),
        metadata={"description": "The path of a .py file in the package", "example": "main.py"},
    )
    is_active = fields.Boolean()
    timeout_seconds = TIMEOUT
    max_attempts = MAX_ATTEMPTS
    retry_delay_seconds = RETRY_DELAY
    max_running_jobs = fields.Integer(
        allow_none=True, validate=validate.Range(1, 100_000), metadata={"description": "How many may run at once"}
    )
    parameters_schema = fields.Dict(
        keys=fields.String(), allow_none=True, validate=_describes_an_object, metadata=PARAMETERS
    )


class ProcessSummary(Schema):
    """A process as other entities show it."""

    id = fields.Integer()
    name = fields.String(metadata={"example": "Daily report"})
    description = fields.String(allow_none=True, metadata={"example": "Sends the figures of yesterday"})
    package_id = fields.Integer()
    script_path = fields.String(metadata={"example": "main.py"})
    is_active = fields.Boolean()
    version = fields.Integer()
    timeout_seconds = fields.Integer(allow_none=True)
    max_attempts = fields.Integer()
    retry_delay_seconds = fields.Integer()
    max_running_jobs = fields.Integer(allow_none=True)
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class ProcessOut(ProcessSummary):
    parameters_schema = fields.Raw(allow_none=True, metadata={"type": "object", **PARAMETERS})
    package = fields.Nested(PackageOut)


class ProcessVersionOut(Schema):
    """What a process ran from this version on."""

    version = fields.Integer()
    package_id = fields.Integer(allow_none=True, metadata={"description": "Null where the package was deleted"})
    package_name = fields.String(metadata={"example": "report"})
    package_version = fields.String(metadata={"example": "1.2.3"})
    script_path = fields.String(metadata={"example": "main.py"})
    created_by = fields.String(allow_none=True, metadata={"example": "ada"})
    created_at = fields.AwareDateTime()


class RollBackIn(Schema):
    version = fields.Integer(
        required=True,
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "The version whose package and script are wanted again"},
    )
