"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from bvo_packages.schemas import SHA256
from bvo_processes.schemas import MAX_ATTEMPTS, RETRY_DELAY, TIMEOUT, ProcessSummary
from bvo_robots.schemas import RobotOut

from . import states

ID = validate.Range(1, 2**31 - 1)
CHANGING = {"x_only": "update"}


class JobIn(Schema):
    process_id = fields.Integer(required=True, validate=ID)
    parameters = fields.Dict(
        keys=fields.String(),
        allow_none=True,
        metadata={"description": "Given to the script", "example": {"day": "2026-11-01"}},
    )
    robot_id = fields.Integer(
        allow_none=True, validate=ID, metadata={"description": "Only this robot may run it; left out: any robot"}
    )
    priority = fields.Integer(
        validate=validate.Range(-1000, 1000), metadata={"description": "Higher comes first; 0 where left out"}
    )
    timeout_seconds = TIMEOUT
    max_attempts = MAX_ATTEMPTS
    retry_delay_seconds = RETRY_DELAY
    status = fields.String(validate=validate.OneOf(states.STATES), metadata=CHANGING)
    result = fields.Dict(keys=fields.String(), allow_none=True, metadata=CHANGING)
    error_message = fields.String(allow_none=True, validate=validate.Length(max=10_000), metadata=CHANGING)


class ProgressOut(Schema):
    fraction = fields.Float(allow_none=True, metadata={"minimum": 0, "maximum": 1, "x_optional": True})
    message = fields.String(allow_none=True, metadata={"example": "Page 3 of 6", "x_optional": True})


class JobOut(Schema):
    id = fields.Integer()
    process_id = fields.Integer()
    process_version = fields.Integer()
    script_path = fields.String(metadata={"example": "main.py"})
    package_id = fields.Integer()
    package_name = fields.String(metadata={"example": "report"})
    package_version = fields.String(metadata={"example": "1.2.3"})
    package_sha256 = fields.String(metadata=SHA256)
    robot_id = fields.Integer(allow_none=True)
    status = fields.String(validate=validate.OneOf(states.STATES), metadata={"example": "completed"})
    priority = fields.Integer()
    attempt = fields.Integer(metadata={"description": "How often it was started"})
    max_attempts = fields.Integer()
    retry_delay_seconds = fields.Integer()
    timeout_seconds = fields.Integer(allow_none=True)
    available_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Not claimed before; null: at once", "example": None}
    )
    deadline_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When the running attempt is out of time", "example": None}
    )
    retried_from_id = fields.Integer(
        allow_none=True, metadata={"description": "The job that this one repeats", "example": None}
    )
    parameters = fields.Raw(allow_none=True, metadata={"type": "object", "example": {"day": "2026-11-01"}})
    result = fields.Raw(allow_none=True, metadata={"type": "object", "example": {"rows": 238}})
    error_code = fields.String(
        allow_none=True,
        metadata={"description": "lease_lost, timeout or poison, where no script said it", "example": None},
    )
    error_message = fields.String(allow_none=True, metadata={"example": None})
    canceled_by = fields.String(allow_none=True, metadata={"example": None})
    stop_report = fields.String(
        allow_none=True,
        metadata={"description": "How the script ended after the cancel, as its robot saw it", "example": None},
    )
    logs_path = fields.String(allow_none=True, metadata={"example": None})
    progress = fields.Nested(ProgressOut, allow_none=True)
    created_at = fields.AwareDateTime()
    started_at = fields.AwareDateTime(allow_none=True)
    finished_at = fields.AwareDateTime(allow_none=True)
    process = fields.Nested(ProcessSummary)
    robot = fields.Nested(RobotOut, allow_none=True)


class WaitingRobot(Schema):
    robot_id = fields.Integer()
    robot = fields.String(metadata={"example": "robot-1"})
    reasons = fields.List(
        fields.String(metadata={"example": "The robot runs another job."}),
        metadata={"description": "Empty: this robot may take the job now"},
    )


class WaitingOut(Schema):
    waiting = fields.Boolean()
    reasons = fields.List(
        fields.String(metadata={"example": "The job waits before its next attempt."}),
        metadata={"description": "What keeps every robot from it"},
    )
    robots = fields.List(fields.Nested(WaitingRobot))


class LostAttemptOut(Schema):
    """An attempt that ended without a result."""

    id = fields.Integer()
    attempt = fields.Integer()
    robot_id = fields.Integer(allow_none=True)
    reason = fields.String(metadata={"description": "lease_lost, timeout, canceled or settled", "example": "canceled"})
    lost_at = fields.AwareDateTime()
    late_report = fields.Raw(
        allow_none=True,
        metadata={
            "description": "What its robot reported afterwards, with no effect",
            "type": "object",
            "example": {"status": "completed"},
        },
    )
    late_at = fields.AwareDateTime(allow_none=True)


class LogQuery(Schema):
    after = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 2**31 - 1),
        metadata={"description": "The `next` of the answer before"},
    )


class LogOut(Schema):
    text = fields.String(metadata={"example": "3 rows read\\n"})
    next = fields.Integer(metadata={"description": "What to send as `after` to get what follows"})
    finished = fields.Boolean(metadata={"description": "True where nothing more will follow"})


class ArtifactOut(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "report.xlsx"})
    size_bytes = fields.Integer(metadata={"example": 2048})
    sha256 = fields.String(metadata=SHA256)
    created_at = fields.AwareDateTime()
