"""`/api/runner`: register, heartbeat, next job, log, artifacts, result; and the package of a job."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_smorest import Blueprint
from werkzeug.exceptions import Forbidden, UnprocessableEntity
from werkzeug.wrappers import Response

from bvo import openapi, registry, settings
from bvo.access import public, requires
from bvo.database import transaction
from bvo.entities import ROW
from bvo_jobs import execution, output, watchdog
from bvo_jobs.models import Artifact, Job
from bvo_jobs.schemas import ArtifactOut
from bvo_packages.api import send
from bvo_packages.service import PackageService

from . import schemas, service

blueprint = Blueprint("runner", __name__, url_prefix="/api/runner", description="What runners call")
downloads = Blueprint("runner_downloads", __name__, url_prefix="/api/packages", description="What runners download")


@blueprint.post("/register-robot")
@public
@blueprint.doc(parameters=[openapi.header("X-Machine-Key", "The key of the robot's machine")])
@blueprint.alt_response(401, description="The machine key is missing, or not valid")
@blueprint.alt_response(403, description="The robot belongs to another machine")
@blueprint.alt_response(409)
@blueprint.arguments(schemas.RegisterIn)
@blueprint.response(200, schemas.RegisterOut)
def register_robot(data: dict[str, Any]) -> Any:
    """Register a robot with the key of its machine; registering again replaces the token"""
    return service.register(data["name"], data.get("machine_info"), request.headers.get("X-Machine-Key"))


@blueprint.post("/heartbeat")
@requires(None, principals=("robot",))
@blueprint.arguments(schemas.HeartbeatIn)
@blueprint.response(200, schemas.HeartbeatOut)
def heartbeat(data: dict[str, Any]) -> Any:
    """Tell that the robot is alive, and keep the jobs that it runs"""
    return service.heartbeat(service.robot_id(data.get("robot_id")), data.get("machine_info"), data.get("leases"))


@blueprint.post("/next-job")
@requires(None, principals=("robot",))
@blueprint.alt_response(409, description="The robot has claimed another job at the same time")
@blueprint.arguments(schemas.NextJobIn)
@blueprint.response(200, schemas.NextJobOut)
def next_job(data: dict[str, Any]) -> Any:
    """Claim the oldest job that this robot may run"""
    robot, key = service.robot_id(data.get("robot_id")), request.headers.get("Idempotency-Key")
    return service.next_job(robot, confirms=data["confirms"], key=key)


@blueprint.post(f"/jobs/{ROW}/log")
@requires(None, principals=("robot",))
@blueprint.doc(parameters=[execution.LEASE_PARAMETER])
@blueprint.alt_response(409, description="The job has ended, or another attempt holds it")
@blueprint.arguments(schemas.LogIn)
@blueprint.response(200, schemas.StatusOut)
def append_log(data: dict[str, Any], row_id: int) -> Any:
    """Add a numbered piece to the log of the running job, and say how far it is"""
    with transaction():
        output.append_log(_held(row_id), data["sequence"], data["text"], data.get("progress"))
    return {"status": "ok"}


@blueprint.post(f"/jobs/{ROW}/artifacts")
@requires(None, principals=("robot",))
@blueprint.doc(requestBody=openapi.multipart("report.xlsx"))
@blueprint.doc(parameters=[execution.LEASE_PARAMETER])
@blueprint.alt_response(409, description="The job has ended, or another attempt holds it")
@blueprint.response(201, ArtifactOut)
def add_artifact(row_id: int) -> Artifact:
    """Add a file to the running job; the same name again replaces it"""
    with transaction():
        _held(row_id)  # whoever has lost the job need not send the file
    request.max_content_length = settings.get("jobs.artifact_max_megabytes") * 1_000_000 + 100_000
    file = request.files.get("file")
    name = (file.filename or "") if file else ""
    if file is None or not 0 < len(name) <= 500 or not name.isprintable():
        raise UnprocessableEntity(
            "Send the file as multipart form field `file`, with a name of at most 500 printable characters."
        )
    return output.keep_artifact(row_id, lambda: _held(row_id), name, file.stream)  # type: ignore[arg-type]


@blueprint.post(f"/jobs/{ROW}/update")
@requires(None, principals=("robot",))
@blueprint.doc(parameters=[execution.LEASE_PARAMETER])
@blueprint.alt_response(409, description="The job has ended, or another attempt holds it")
@blueprint.arguments(schemas.UpdateIn)
@blueprint.response(200, schemas.UpdateOut)
def update(data: dict[str, Any], row_id: int) -> Any:
    """Report the result. The same result again is accepted; another one, or that of a lost attempt, is a conflict

    With `next` the robot also claims its next job, in the same transaction: the answer then has `job`, as that of
    `next-job` has it, and the Idempotency-Key is that of the claim. Where the result is refused, nothing is claimed.
    """
    following, lease = data.pop("next", None), data.pop("lease_token", None)
    robot = service.robot_id((following or {}).get("robot_id"))
    report = (row_id, robot, request.headers.get(execution.LEASE_HEADER) or lease, data)
    if following is None:
        execution.finish(*report)
        return {"status": "ok"}
    key = request.headers.get("Idempotency-Key")
    claimed = execution.finish_and_claim(*report, confirms=following["confirms"], key=key)
    return {"status": "ok", **service.told(claimed)}


@blueprint.post(f"/jobs/{ROW}/stopped")
@requires(None, principals=("robot",))
@blueprint.doc(parameters=[execution.LEASE_PARAMETER])
@blueprint.alt_response(409, description="The job was not cancelled, or another attempt held it")
@blueprint.arguments(schemas.StoppedIn)
@blueprint.response(200, schemas.StatusOut)
def stopped(data: dict[str, Any], row_id: int) -> Any:
    """Tell how the script was ended of a job that was cancelled, or out of time"""
    execution.stopped(row_id, service.robot_id(None), request.headers.get(execution.LEASE_HEADER), data["words"])
    return {"status": "ok"}


@blueprint.post(f"/jobs/{ROW}/release")
@requires(None, principals=("robot",))
@blueprint.doc(parameters=[execution.LEASE_PARAMETER])
@blueprint.alt_response(409, description="The job has ended, or another attempt holds it")
@blueprint.arguments(schemas.ReleaseIn)
@blueprint.response(200, schemas.StatusOut)
def release(data: dict[str, Any], row_id: int) -> Any:
    """Give the job up, whose script was ended without a result: it is lost at once instead of when the lease is over"""
    lease = request.headers.get(execution.LEASE_HEADER)
    watchdog.release(row_id, service.robot_id(None), lease, started=data["started"])
    return {"status": "ok"}


@downloads.get(f"/{ROW}/download")
@requires(None, principals=("robot",))
@openapi.sends_file(downloads, "application/zip", "Digest")
def download(row_id: int) -> Response:
    """The package of a job that this robot runs"""
    if not execution.holds_package(service.robot_id(None), row_id):
        raise Forbidden("A robot may only download the package of a job that it runs.")
    return send(registry.current().service(PackageService).get(row_id))


def _held(job_id: int) -> Job:
    return execution.held(job_id, service.robot_id(None), request.headers.get(execution.LEASE_HEADER))
