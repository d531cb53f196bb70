"""What runners send and get. Fields that only newer runners know are optional."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields, validate

from bvo.entities import Forgiving
from bvo_jobs import attempts
from bvo_packages.schemas import SHA256

ID = validate.Range(1, 2**31 - 1)
LEASE = {"example": "bvol_0123456789abcdef"}


class RunnerMessage(Forgiving):
    """Runners are older or newer than the server: what one side does not know, it leaves alone."""

    class Meta:
        unknown = EXCLUDE


class RegisterIn(RunnerMessage):
    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "robot-1"})
    machine_info = fields.String(allow_none=True, validate=validate.Length(max=500))


class RegisterOut(Schema):
    robot_id = fields.Integer()
    api_token = fields.String(metadata={"example": "bvor_0123456789abcdef"})
    name = fields.String(metadata={"example": "robot-1"})


class LeaseIn(RunnerMessage):
    job_id = fields.Integer(required=True, validate=ID)
    lease_token = fields.String(required=True, metadata=LEASE)


class HeartbeatIn(RunnerMessage):
    robot_id = fields.Integer(validate=ID)
    machine_info = fields.String(allow_none=True, validate=validate.Length(max=500))
    leases = fields.List(
        fields.Nested(LeaseIn),
        validate=validate.Length(max=100),
        metadata={"example": [{"job_id": 1, "lease_token": LEASE["example"]}]},
    )


class LeaseOut(Schema):
    job_id = fields.Integer()
    state = fields.String(validate=validate.OneOf(("valid", "stop", "lost")))
    lease_seconds = fields.Integer(
        metadata={"description": "A valid one holds so long from this request on", "example": 60, "x_optional": True}
    )


class HeartbeatOut(Schema):
    status = fields.String(validate=validate.Equal("ok"))
    heartbeat_seconds = fields.Integer(
        metadata={"description": "The next one is expected so much later", "example": 10}
    )
    leases = fields.List(fields.Nested(LeaseOut))


class ClaimIn(RunnerMessage):
    robot_id = fields.Integer(validate=ID)
    confirms = fields.Boolean(
        load_default=False,
        metadata={"description": "It renews the lease before it starts; until then the claim holds for 15 s"},
    )


class NextJobIn(ClaimIn):
    wait_seconds = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 30),
        metadata={
            "description": "Where there is no job, wait so long for one; a server that can't wait answers at once"
        },
    )


class JobProcess(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "Daily report"})
    script_path = fields.String(metadata={"example": "main.py"})
    package_id = fields.Integer()


class JobPackage(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "report"})
    version = fields.String(metadata={"example": "1.2.3"})
    sha256 = fields.String(metadata=SHA256)


class ClaimedJob(Schema):
    """A job as its runner gets it. Script and package are those that were pinned when the job was made."""

    id = fields.Integer()
    status = fields.String(validate=validate.Equal("running"))
    parameters = fields.Raw(allow_none=True, metadata={"type": "object", "example": {"day": "2026-11-01"}})
    attempt = fields.Integer()
    lease_token = fields.String(metadata=LEASE)
    lease_seconds = fields.Integer(metadata={"example": 60})
    heartbeat_seconds = fields.Integer(metadata={"example": 10})
    confirm_seconds = fields.Integer(
        allow_none=True,
        metadata={
            "description": "Until the first renewal the claim holds so long; null where the robot confirms nothing",
            "example": None,
        },
    )
    timeout_seconds = fields.Integer(allow_none=True, metadata={"example": None})
    process = fields.Nested(JobProcess)
    package = fields.Nested(JobPackage)


class NextJobOut(Schema):
    job = fields.Nested(ClaimedJob, allow_none=True)


class ProgressIn(RunnerMessage):
    fraction = fields.Float(allow_none=True, validate=validate.Range(0, 1))
    message = fields.String(allow_none=True, validate=validate.Length(max=500))


class LogIn(RunnerMessage):
    sequence = fields.Integer(required=True, validate=ID)
    text = fields.String(
        required=True, validate=validate.Length(max=256 * 1024), metadata={"example": "3 rows read\\n"}
    )
    progress = fields.Nested(ProgressIn, allow_none=True)


class UpdateIn(RunnerMessage):
    status = fields.String(required=True, validate=validate.OneOf(("completed", "failed")))
    result = fields.Dict(keys=fields.String(), allow_none=True, metadata={"example": {"rows": 238}})
    error_message = fields.String(allow_none=True)
    error_code = fields.String(validate=validate.OneOf((attempts.TIMEOUT,)))
    logs = fields.String(allow_none=True)
    lease_token = fields.String()
    next = fields.Nested(
        ClaimIn, metadata={"description": "Claim the next job, too, under the Idempotency-Key of this request"}
    )


class StatusOut(Schema):
    status = fields.String(validate=validate.Equal("ok"))


class UpdateOut(StatusOut):
    job = fields.Nested(
        ClaimedJob, allow_none=True, metadata={"description": "Only where `next` was sent", "x_optional": True}
    )


class StoppedIn(RunnerMessage):
    words = fields.String(
        required=True, validate=validate.Length(1, 500), metadata={"example": "it ended by itself after SIGTERM"}
    )


class ReleaseIn(RunnerMessage):
    started = fields.Boolean(
        load_default=True,
        metadata={"description": "false: its script was not started, so that no attempt is counted", "example": True},
    )
