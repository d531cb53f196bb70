"""A job's panels, and the dashboard's cards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from bvo.database import db, utcnow
from bvo_hookspecs import DashboardCard, DetailPanel

from . import output, states
from .models import Job


def log_panel(job_id: int) -> dict[str, Any]:
    job = db.session.get_one(Job, job_id)
    return {"job": job, "log": output.tail(job), "live": not states.is_final(job.status)}


def artifacts_panel(job_id: int) -> dict[str, Any]:
    job = db.session.get_one(Job, job_id)
    return {"job": job, "artifacts": output.artifacts(job), "live": not states.is_final(job.status)}


def today() -> dict[str, Any]:
    """Jobs by status among those of the last 24 hours."""
    recent = select(Job.status, func.count()).where(Job.created_at > utcnow() - timedelta(days=1)).group_by(Job.status)
    counts = dict(db.session.execute(recent).all())
    return {"counts": {status: counts.get(status, 0) for status in states.STATES}}


def latest() -> dict[str, Any]:
    """The jobs made last."""
    return {"jobs": db.session.scalars(select(Job).order_by(Job.id.desc()).limit(10)).unique().all()}


PANELS = (
    DetailPanel(name="log", entity_type="job", title="Log", template="bvo_jobs/log_panel.html", context=log_panel),
    DetailPanel(
        name="artifacts",
        entity_type="job",
        title="Artifacts",
        template="bvo_jobs/artifacts_panel.html",
        context=artifacts_panel,
    ),
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
