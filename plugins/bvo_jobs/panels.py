"""A job's panels."""

from __future__ import annotations

from typing import Any

from bvo.database import db
from bvo_hookspecs import DetailPanel

from . import output, states
from .models import Job


def log_panel(job_id: int) -> dict[str, Any]:
    job = db.session.get_one(Job, job_id)
    return {"job": job, "log": output.tail(job), "live": not states.is_final(job.status)}


def artifacts_panel(job_id: int) -> dict[str, Any]:
    job = db.session.get_one(Job, job_id)
    return {"job": job, "artifacts": output.artifacts(job), "live": not states.is_final(job.status)}


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
