"""What the API gives."""

from __future__ import annotations

from marshmallow import Schema, fields


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
    name = fields.String()
    status = fields.String()
    last_heartbeat = fields.AwareDateTime()
    current_job_id = fields.Integer()
    current_process_name = fields.String()


class JobRow(Schema):
    id = fields.Integer()
    process_name = fields.String()
    robot_name = fields.String()
    status = fields.String()
    created_at = fields.AwareDateTime()
    started_at = fields.AwareDateTime()
    finished_at = fields.AwareDateTime()
    duration_seconds = fields.Integer()


class Overview(Schema):
    summary = fields.Nested(Summary)
    robots = fields.List(fields.Nested(RobotRow))
    recent_jobs = fields.List(fields.Nested(JobRow))
