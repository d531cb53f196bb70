"""A job's log and artifacts."""

from __future__ import annotations

from typing import Any

from flask import send_file
from flask_smorest import Blueprint
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from bvo import openapi, registry, stores
from bvo.access import requires
from bvo.database import db
from bvo.entities import ROW

from . import attempts, eligibility, output
from .models import Artifact, Job, LostAttempt
from .schemas import ArtifactOut, LogOut, LogQuery, LostAttemptOut, WaitingOut
from .service import JobService

blueprint = Blueprint("job_output", __name__, url_prefix="/api/jobs", description="A job's log and artifacts")
ARTIFACT = ROW.replace("row_id", "artifact_id")


@blueprint.get(f"/{ROW}/log")
@requires("jobs:view")
@blueprint.arguments(LogQuery, location="query")
@blueprint.response(200, LogOut)
def log(query: dict[str, int], row_id: int) -> dict[str, Any]:
    """What the job has printed, also while it runs: ask again with `after` = `next` until `finished`"""
    return output.read_log(_job(row_id), query["after"])


@blueprint.get(f"/{ROW}/waiting")
@requires("jobs:view")
@blueprint.response(200, WaitingOut)
def waiting(row_id: int) -> dict[str, Any]:
    """Why the job is not running: what the claim asks for, and which of it does not hold"""
    return eligibility.waiting(_job(row_id).id)


@blueprint.get(f"/{ROW}/lost-attempts")
@requires("jobs:view")
@blueprint.response(200, LostAttemptOut(many=True))
def lost_attempts(row_id: int) -> list[LostAttempt]:
    """The attempts that ended without a result, with what their robots reported too late"""
    return attempts.of_job(_job(row_id).id)


@blueprint.get(f"/{ROW}/artifacts")
@requires("jobs:view")
@blueprint.response(200, ArtifactOut(many=True))
def artifacts(row_id: int) -> list[Artifact]:
    """The files that the job has left"""
    return output.artifacts(_job(row_id))


@blueprint.get(f"/{ROW}/artifacts/{ARTIFACT}")
@requires("jobs:view")
@openapi.sends_file(blueprint, "application/octet-stream")
def artifact(row_id: int, artifact_id: int) -> Response:
    """Download one of the job's files"""
    found = db.session.get(Artifact, artifact_id)
    if found is None or found.job_id != _job(row_id).id:
        raise NotFound(f"Artifact not found: the job {row_id} has none with the id {artifact_id}.")
    response = send_file(
        stores.current().open(found.store_key),
        mimetype="application/octet-stream",  # never shown in this origin: a job's file may hold scripts
        as_attachment=True,
        download_name=found.name.rpartition("/")[2],
        etag=found.sha256,
    )
    response.content_length = found.size_bytes  # an answer that breaks off is noticed
    return response


def _job(row_id: int) -> Job:
    return registry.current().service(JobService).get(row_id)
