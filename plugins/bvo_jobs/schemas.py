"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from bvo_processes.schemas import ProcessSummary
from bvo_robots.schemas import RobotOut

from . import states

ID = validate.Range(1, 2**31 - 1)


class JobIn(Schema):
    process_id = fields.Integer(required=True, validate=ID)
    parameters = fields.Dict(keys=fields.String(), allow_none=True, metadata={"description": "Given to the script"})
    robot_id = fields.Integer(
        allow_none=True, validate=ID, metadata={"description": "Only this robot may run it; left out: any robot"}
    )
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
    attempt = fields.Integer()
    parameters = fields.Raw()
    result = fields.Raw()
    error_message = fields.String()
    logs_path = fields.String()
    progress = fields.Raw(metadata={"description": "{fraction: 0 to 1 or null, message}"})
    created_at = fields.AwareDateTime()
    started_at = fields.AwareDateTime()
    finished_at = fields.AwareDateTime()
    process = fields.Nested(ProcessSummary)
    robot = fields.Nested(RobotOut)


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
