"""A job's panels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from bvo.database import db
from bvo_hookspecs import DetailPanel

from . import course, eligibility, log_pages, output, states
from .models import Job

MAX_RETRIES = 20
TOLD = (
    *("process", "process_id", "package_id", "package_name", "package_version", "robot", "robot_id", "retried_from_id"),
    *("created_at", "started_at", "finished_at", "deadline_at", "available_at", "attempt", "max_attempts"),
    *("progress", "error_code", "error_message", "canceled_by", "stop_report"),
)
"""Fields that the course tells."""


def course_panel(job_id: int) -> dict[str, Any]:
    job = db.session.get_one(Job, job_id)
    again = select(Job.id).where(Job.retried_from_id == job.id).order_by(Job.id).limit(MAX_RETRIES)
    return {
        "job": job,
        "steps": course.of(job),
        "retried_as": db.session.scalars(again).all(),
        "waited": _seconds(job.created_at, job.started_at),
        "ran": _seconds(job.started_at, job.finished_at),
        "live": not states.is_final(job.status),
    }


def waiting_panel(job_id: int) -> dict[str, Any]:
    job = db.session.get_one(Job, job_id)
    if job.status != states.PENDING:
        return {"hidden": True}
    return {"job": job, **eligibility.waiting(job_id), "live": True}


def log_panel(job_id: int) -> dict[str, Any]:
    """It follows by itself: the page has no need to ask for all its lines again."""
    return log_pages.view(db.session.get_one(Job, job_id), {})


def data_panel(job_id: int) -> dict[str, Any]:
    job = db.session.get_one(Job, job_id)
    return {"job": job, "hidden": not (job.parameters or job.result)}


def artifacts_panel(job_id: int) -> dict[str, Any]:
    job = db.session.get_one(Job, job_id)
    found = output.artifacts(job)
    return {"job": job, "artifacts": found, "hidden": not found}


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def _panel(name: str, title: str, context: Callable[[int], dict[str, Any]], order: int, *covers: str) -> DetailPanel:
    template = f"bvo_jobs/{name}_panel.html"
    return DetailPanel(
        name=name, entity_type="job", title=title, template=template, context=context, order=order, covers=covers
    )


PANELS = (
    _panel("course", "Course", course_panel, 10, *TOLD),
    _panel("waiting", "Why is it waiting?", waiting_panel, 20),
    replace(_panel("log", "Log", log_panel, 30), refresh=False),
    _panel("data", "Parameters and result", data_panel, 40, "parameters", "result"),
    _panel("artifacts", "Artifacts", artifacts_panel, 50),
)
