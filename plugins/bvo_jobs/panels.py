"""A job's panels, and the dashboard's cards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from bvo.database import db, utcnow
from bvo_hookspecs import DashboardCard, DetailPanel

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


def today() -> dict[str, Any]:
    """Jobs by status among those of the last 24 hours."""
    recent = select(Job.status, func.count()).where(Job.created_at > utcnow() - timedelta(days=1)).group_by(Job.status)
    counts = dict(db.session.execute(recent).all())
    return {"counts": {status: counts.get(status, 0) for status in states.STATES}}


def latest() -> dict[str, Any]:
    """The jobs made last."""
    return {"jobs": db.session.scalars(select(Job).order_by(Job.id.desc()).limit(10)).unique().all()}


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
CARDS = (
    DashboardCard(
        name="jobs_today",
        title="Jobs, last 24 hours",
        template="bvo_jobs/today_card.html",
        context=today,
        permission="jobs:view",
        order=10,
    ),
    DashboardCard(
        name="latest_jobs",
        title="Latest jobs",
        template="bvo_jobs/latest_card.html",
        context=latest,
        permission="jobs:view",
        order=30,
    ),
)
