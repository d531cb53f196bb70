"""The entity type `job`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from bvo.entities import equals, everything, period
from bvo_hookspecs import Action, EntityType, NavItem

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
