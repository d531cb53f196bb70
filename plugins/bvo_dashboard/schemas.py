"""What the API gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from bvo_jobs import states
from bvo_robots.schemas import STATUSES


class Summary(Schema):
    total_robots = fields.Integer()
    online_robots = fields.Integer()
    offline_robots = fields.Integer()
    jobs_today_total = fields.Integer()
    jobs_today_success = fields.Integer()
    jobs_today_failed = fields.Integer()
    running_jobs = fields.Integer()
    total_processes = fields.Integer()
    active_processes = fields.Integer()


class RobotRow(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "robot-1"})
    status = fields.String(validate=validate.OneOf(STATUSES))
    last_heartbeat = fields.AwareDateTime(allow_none=True)
    current_job_id = fields.Integer(allow_none=True)
    current_process_name = fields.String(allow_none=True, metadata={"example": "Daily report"})


class JobRow(Schema):
    id = fields.Integer()
    process_name = fields.String(metadata={"example": "Daily report"})
    robot_name = fields.String(allow_none=True, metadata={"example": "robot-1"})
    status = fields.String(validate=validate.OneOf(states.STATES), metadata={"example": "completed"})
    created_at = fields.AwareDateTime()
    started_at = fields.AwareDateTime(allow_none=True)
    finished_at = fields.AwareDateTime(allow_none=True)
    duration_seconds = fields.Integer(allow_none=True, metadata={"example": 42})


class Overview(Schema):
    summary = fields.Nested(Summary)
    robots = fields.List(fields.Nested(RobotRow))
    recent_jobs = fields.List(fields.Nested(JobRow))
