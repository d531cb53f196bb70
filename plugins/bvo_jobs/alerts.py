"""What alerts may watch of jobs: failures in a row, and a success that has not come by its time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import Schema, ValidationError, fields, validate
from sqlalchemy import ColumnElement, func, literal_column, select

from bvo.database import db, utcnow
from bvo.entities import Reference
from bvo_hookspecs import AlertCondition, Finding
from bvo_processes.models import Process

from . import due_times, states
from .models import Job

COMPLETED: ColumnElement[str] = literal_column(f"'{states.COMPLETED}'")
FAILED: ColumnElement[str] = literal_column(f"'{states.FAILED}'")
DECIDED = Job.status.in_((COMPLETED, FAILED))
"""As the index `ix_jobs_decided` says it; a canceled job counts neither way."""


def _without_zone(time: Any) -> None:
    if time.tzinfo is not None:
        raise ValidationError("Leave out the offset: `time_zone` says it.")


def _known_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        raise ValidationError(f"There is no time zone {name!r}. Use a name such as Europe/Berlin.") from None


class FailuresIn(Schema):
    process_id = Reference(
        "process", allow_none=True, load_default=None, metadata={"description": "Left out: every process, by itself"}
    )
    failures = fields.Integer(
        strict=True,
        load_default=3,
        validate=validate.Range(1, 100),
        metadata={"label": "Failures in a row", "description": "Canceled jobs count neither way"},
    )


class SuccessIn(Schema):
    process_id = Reference("process", required=True)
    time = fields.Time(required=True, validate=_without_zone, metadata={"description": "A job must end well by then"})
    time_zone = fields.String(
        load_default="UTC",
        validate=(validate.Length(1, 100), _known_zone),
        metadata={"description": "Of the time, such as Europe/Berlin", "example": "Europe/Berlin"},
    )
    days = fields.List(
        fields.String(validate=validate.OneOf(due_times.DAYS)),
        load_default=[],
        metadata={"description": "Only on these; none: every day"},
    )


def failed_in_a_row(parameters: Mapping[str, Any], since: datetime) -> Iterator[Finding]:
    """The active processes of whose jobs the last ones all failed, in the order in which they ended."""
    wanted = parameters["failures"]
    ended = select(Job.status).where(Job.process_id == Process.id, DECIDED).order_by(Job.finished_at.desc())
    last = ended.limit(wanted).correlate(Process).subquery()
    failures = select(func.count()).select_from(last).where(last.c.status == FAILED).correlate(Process)
    failing = select(Process.id, Process.name).where(Process.is_active, failures.scalar_subquery() == wanted)
    if parameters["process_id"] is not None:
        failing = failing.where(Process.id == parameters["process_id"])
    words = "The last job" if wanted == 1 else f"The last {wanted} jobs"
    for process in db.session.execute(failing.order_by(Process.id)):
        message = f'{words} of "{process.name}" failed.'
        yield Finding(subject=f"process/{process.id}", name=process.name, message=message)


def no_success_by(parameters: Mapping[str, Any], since: datetime) -> Iterator[Finding]:
    """The process, where none of its jobs was completed between the last time but one and now."""
    days, time, zone = parameters["days"], parameters["time"], ZoneInfo(parameters["time_zone"])
    before, due = due_times.last_two(utcnow(), time, zone, days)
    process_id = parameters["process_id"]
    completed = (Job.process_id == process_id, DECIDED, Job.status == COMPLETED, Job.finished_at > before)
    if due <= since or db.session.scalar(select(Job.id).where(*completed).limit(1)) is not None:
        return
    name = db.session.scalar(select(Process.name).where(Process.id == process_id)) or f"#{process_id}"
    by = f"{due.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
    yield Finding(
        subject=f"process/{process_id}", name=name, message=f'No job of "{name}" was completed in time: by {by}.'
    )


CONDITIONS = (
    AlertCondition(
        name="jobs_failed_in_a_row",
        label="Jobs failed in a row",
        help="The last jobs of a process all failed.",
        parameters=FailuresIn,
        find=failed_in_a_row,
    ),
    AlertCondition(
        name="no_success_by",
        label="No success by a time",
        help="A time of the day has passed, and no job was completed since this time on the last day before.",
        parameters=SuccessIn,
        find=no_success_by,
    ),
)
