"""The entity type `job`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from bvo.entities import equals, everything, period
from bvo_hookspecs import Action, EntityType, EventType, NavItem

from . import states
from .models import Job
from .schemas import ID, JobIn, JobOut
from .service import JobService
from .troubles import TROUBLE


def _can_cancel(job: Mapping[str, Any]) -> bool:
    return states.allows(job["status"], states.CANCELED, states.OPERATOR)


def _has_ended(job: Mapping[str, Any]) -> bool:
    return states.is_final(job["status"])


JOB = EntityType(
    name="job",
    plural="jobs",
    label="Job",
    model=Job,
    read_schema=JobOut,
    write_schema=JobIn,
    service=JobService,
    scope=everything,
    actions=(
        Action(name="cancel", label="Cancel", confirm="Cancel this job? Its script is stopped.", applies=_can_cancel),
        Action(name="retry", label="Run again", operation="create", applies=_has_ended),
    ),
    columns=("id", "status", "process", "robot", "created_at", "started_at", "finished_at"),
    filters=(
        equals(Job.status, fields.String(validate=validate.OneOf(states.STATES))),
        equals(Job.process_id, fields.Integer(validate=ID)),
        equals(Job.robot_id, fields.Integer(validate=ID)),
        TROUBLE,
        *period(Job.finished_at),
        *period(Job.created_at),
    ),
    nav=NavItem(name="jobs", label="Jobs", order=10),
)

EVENT_TYPES = tuple(
    EventType(name=f"job.{kind}", help=words, schema=JobOut, example={"status": status})
    for kind, status, words in (
        ("started", states.RUNNING, "A robot has taken the job."),
        ("completed", states.COMPLETED, "The job ended well."),
        ("failed", states.FAILED, "The job failed. `error_code` says why, such as `lease_lost` or `timeout`."),
        ("canceled", states.CANCELED, "The job was cancelled. A robot that runs it is told to stop."),
        ("stopped", states.CANCELED, "The robot has stopped the script of a job that others had ended."),
        (
            "released",
            states.PENDING,
            "The robot gave the job back before its script began. The attempt does not count.",
        ),
        ("requeued", states.PENDING, "The robot was lost, and the job waits for its next attempt."),
    )
)
