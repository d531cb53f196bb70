"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from bvo_processes.schemas import MAX_ATTEMPTS, RETRY_DELAY, TIMEOUT, ProcessSummary
from bvo_robots.schemas import RobotOut

from . import states

ID = validate.Range(1, 2**31 - 1)


class JobIn(Schema):
    process_id = fields.Integer(required=True, validate=ID)
    parameters = fields.Dict(keys=fields.String(), allow_none=True, metadata={"description": "Given to the script"})
    robot_id = fields.Integer(
        allow_none=True, validate=ID, metadata={"description": "Only this robot may run it; left out: any robot"}
    )
    priority = fields.Integer(
        validate=validate.Range(-1000, 1000), metadata={"description": "Higher comes first; 0 where left out"}
    )
    timeout_seconds = TIMEOUT
    max_attempts = MAX_ATTEMPTS
    retry_delay_seconds = RETRY_DELAY
    status = fields.String(validate=validate.OneOf(states.STATES), metadata={"description": "Only when changing a job"})
    result = fields.Dict(keys=fields.String(), allow_none=True, metadata={"description": "Only when changing a job"})
    error_message = fields.String(
        allow_none=True, validate=validate.Length(max=10_000), metadata={"description": "Only when changing a job"}
    )


class JobOut(Schema):
    id = fields.Integer()
    process_id = fields.Integer()
    process_version = fields.Integer()
    script_path = fields.String()
    package_id = fields.Integer()
    package_name = fields.String()
    package_version = fields.String()
    package_sha256 = fields.String()
    robot_id = fields.Integer()
    status = fields.String()
    priority = fields.Integer()
    attempt = fields.Integer(metadata={"description": "How often it was started"})
    max_attempts = fields.Integer()
    retry_delay_seconds = fields.Integer()
    timeout_seconds = fields.Integer()
    available_at = fields.AwareDateTime(metadata={"description": "Not claimed before; null: at once"})
    deadline_at = fields.AwareDateTime(metadata={"description": "When the running attempt is out of time"})
    retried_from_id = fields.Integer(metadata={"description": "The job that this one repeats"})
    parameters = fields.Raw()
    result = fields.Raw()
    error_code = fields.String(metadata={"description": "lease_lost, timeout or poison, where no script said it"})
    error_message = fields.String()
    canceled_by = fields.String()
    stop_report = fields.String(metadata={"description": "How the script ended after the cancel, as its robot saw it"})
    logs_path = fields.String()
    progress = fields.Raw(metadata={"description": "{fraction: 0 to 1 or null, message}"})
    created_at = fields.AwareDateTime()
    started_at = fields.AwareDateTime()
    finished_at = fields.AwareDateTime()
    process = fields.Nested(ProcessSummary)
    robot = fields.Nested(RobotOut)


class WaitingRobot(Schema):
    robot_id = fields.Integer()
    robot = fields.String()
    reasons = fields.List(fields.String(), metadata={"description": "Empty: this robot may take the job now"})


class WaitingOut(Schema):
    waiting = fields.Boolean()
    reasons = fields.List(fields.String(), metadata={"description": "What keeps every robot from it"})
    robots = fields.List(fields.Nested(WaitingRobot))


class LostAttemptOut(Schema):
    """An attempt that ended without a result."""

    id = fields.Integer()
    attempt = fields.Integer()
    robot_id = fields.Integer()
    reason = fields.String(metadata={"description": "lease_lost, timeout, canceled or settled"})
    lost_at = fields.AwareDateTime()
    late_report = fields.Raw(metadata={"description": "What its robot reported afterwards, with no effect"})
    late_at = fields.AwareDateTime()


class LogQuery(Schema):
    after = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 2**31 - 1),
        metadata={"description": "The `next` of the answer before"},
    )


class LogOut(Schema):
    text = fields.String()
    next = fields.Integer(metadata={"description": "What to send as `after` to get what follows"})
    finished = fields.Boolean(metadata={"description": "True where nothing more will follow"})


class ArtifactOut(Schema):
    id = fields.Integer()
    name = fields.String()
    size_bytes = fields.Integer()
    sha256 = fields.String()
    created_at = fields.AwareDateTime()
