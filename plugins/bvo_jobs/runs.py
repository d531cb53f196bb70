"""How the jobs of a process went of late, and starting one at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from flask import Blueprint, flash, redirect
from sqlalchemy import Row, select
from werkzeug.wrappers import Response

from bvo import registry
from bvo.access import requires
from bvo.database import db
from bvo.entities import ROW
from bvo_hookspecs import DetailPanel
from bvo_processes.models import Process

from . import states
from .models import Job
from .service import JobService

RUNS = 50
"""So many of the latest jobs are looked at."""
HEIGHT = 100

pages = Blueprint("job_run_pages", __name__)


@dataclass(frozen=True)
class Bar:
    """A finished job in the chart of durations; `height` of 100 is the longest."""

    height: int
    tone: str


@dataclass(frozen=True)
class Trend:
    """The latest jobs of a process, oldest first, and what they say together; durations are in seconds."""

    jobs: Sequence[Row[Any]]

    @property
    def ended(self) -> list[Row[Any]]:
        return [job for job in self.jobs if job.status in (states.COMPLETED, states.FAILED)]

    @property
    def success(self) -> int | None:
        """In percent of those that completed or failed."""
        good = sum(job.status == states.COMPLETED for job in self.ended)
        return round(100 * good / len(self.ended)) if self.ended else None

    @property
    def durations(self) -> list[float]:
        return [_seconds(job) for job in self.ended if job.started_at]

    @property
    def usual(self) -> float | None:
        return median(self.durations) if self.durations else None

    @property
    def longest(self) -> float | None:
        return max(self.durations, default=None)

    @property
    def bars(self) -> list[Bar]:
        longest = self.longest or 1
        return [
            Bar(max(2, round(HEIGHT * _seconds(job) / longest)), job.status) for job in self.ended if job.started_at
        ]


def trend(process_id: int) -> Trend:
    """Of the latest jobs, along the index of a process's jobs."""
    columns = (Job.id, Job.status, Job.created_at, Job.started_at, Job.finished_at)
    latest = select(*columns).where(Job.process_id == process_id).order_by(Job.id.desc()).limit(RUNS)
    found: list[Row[Any]] = list(db.session.execute(latest))
    return Trend(found[::-1])


def runs_panel(process_id: int) -> dict[str, Any]:
    found = trend(process_id)
    live = any(not states.is_final(job.status) for job in found.jobs)
    return {"process": db.session.get_one(Process, process_id), "trend": found, "most": RUNS, "live": live}


@pages.post(f"/ui/processes/{ROW}/run")
@requires("jobs:create")
def run(row_id: int) -> Response:
    """Queue a job without parameters, and show it."""
    job = registry.current().service(JobService).create({"process_id": row_id})
    page = f"/ui/jobs/{job.id}"
    flash(f"Job {job.name} was queued.", page)
    return redirect(page)


def _seconds(job: Row[Any]) -> float:
    return float((job.finished_at - job.started_at).total_seconds())


PANELS = (
    DetailPanel(
        name="runs",
        entity_type="process",
        title="Runs",
        template="bvo_jobs/runs_panel.html",
        context=runs_panel,
        order=20,
        permission="jobs:view",
    ),
)
