"""What a robot did of late: the bar of the last 24 hours, and its latest jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from bvo.database import db, utcnow
from bvo_hookspecs import DetailPanel
from bvo_robots.models import Robot

from . import hours, states
from .models import Job

DAY = timedelta(days=1)
MAX_JOBS, SHOWN = 1000, 10
WIDTH = 1440
"""A day in minutes, and so wide is the bar."""


@dataclass(frozen=True)
class Piece:
    """A job in the bar: from the minute `x` on, `width` minutes (a short one is drawn as two)."""

    x: float
    width: float
    tone: str


def jobs_of(robot_id: int) -> Sequence[Row[Any]]:
    """The robot's latest jobs that have started, newest first, along the index of a robot's jobs."""
    columns = (Job.id, Job.status, Job.process_id, Job.started_at, Job.finished_at)
    latest = select(*columns).where(Job.robot_id == robot_id).order_by(Job.id.desc()).limit(MAX_JOBS)
    found: list[Row[Any]] = list(db.session.execute(latest))
    return [job for job in found if job.started_at]


def bar(jobs: Sequence[Row[Any]], now: datetime) -> tuple[list[Piece], float]:
    """The pieces of the last 24 hours, and how much of them the robot was busy, from 0 to 1."""
    since, pieces, busy = now - DAY, [], timedelta()
    for job in jobs:
        start, end = max(job.started_at, since), max(job.started_at, job.finished_at or now)
        if end <= since:
            continue
        busy += end - start
        minutes = (end - start).total_seconds() / 60
        x = min((start - since).total_seconds() / 60, WIDTH - 2)
        pieces.append(Piece(round(x, 1), round(max(minutes, 2), 1), job.status))
    return pieces, min(1.0, busy / DAY)


def panel(robot_id: int) -> dict[str, Any]:
    jobs, now = jobs_of(robot_id), utcnow().replace(second=0, microsecond=0)  # else it would differ at each look
    pieces, busy = bar(jobs, now)
    shown = select(Job).where(Job.id.in_([job.id for job in jobs[:SHOWN]])).order_by(Job.id.desc())
    running = any(not states.is_final(job.status) for job in jobs)
    return {
        "robot": db.session.get_one(Robot, robot_id),
        "jobs": db.session.scalars(shown).unique().all(),
        "pieces": pieces,
        "percent": round(100 * busy),
        "url": hours.url(now - DAY, robot_id=robot_id),
        "width": WIDTH,
        "live": running,
    }


PANELS = (
    DetailPanel(
        name="work",
        entity_type="robot",
        title="Work",
        template="bvo_jobs/work_panel.html",
        context=panel,
        order=20,
        permission="jobs:view",
    ),
)
