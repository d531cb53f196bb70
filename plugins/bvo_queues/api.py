"""Many items at once; and under `/api/runner` what a running job may do with items."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_smorest import Blueprint

from bvo import access, openapi, registry
from bvo.access import requires
from bvo.bodies import takes
from bvo.entities import ROW
from bvo_jobs import execution

from . import processing, schemas
from .processing import Caller, Failure
from .service import QueueItemService

MAX_BULK_BYTES = 32 * 1024 * 1024
ITEM = f"/queue-items/{ROW}"
QUEUE = [{"in": "path", "name": "name", "example": "invoices"}]
KEY = openapi.header("Idempotency-Key", "The same again: the answer was lost, and is given once more")
LEASE = openapi.header(execution.LEASE_HEADER, "The `lease_token` of the running job") | {"required": True}
NO_JOB = "The robot does not hold a job, or not with this lease"
NOT_HELD = "The job has ended, or does not hold the item any more"

bulk = Blueprint("queue_items_bulk", __name__, url_prefix="/api/queue-items", description="Many items at once")
jobs = Blueprint("queue_processing", __name__, url_prefix="/api/runner", description="Queue items for running jobs")


@bulk.post("/bulk")
@requires("queue_items:create", principals=("user", "token", "sdk"))
@takes(MAX_BULK_BYTES)
@bulk.alt_response(409, description="The queue is not active, or has one of the references already")
@bulk.arguments(schemas.BulkIn)
@bulk.response(201, schemas.BulkOut)
def add_many(data: dict[str, Any]) -> dict[str, Any]:
    """Add up to 10,000 items to a queue: all of them, or none"""
    ids = registry.current().service(QueueItemService).create_many(data)
    return {"count": len(ids), "ids": ids}


@jobs.post("/queues/<path:name>/next", parameters=QUEUE)
@requires(None, principals=("robot",))
@jobs.doc(parameters=[LEASE, KEY])
@jobs.alt_response(409, description=NO_JOB)
@jobs.arguments(schemas.NextIn)
@jobs.response(200, schemas.NextOut)
def next_item(data: dict[str, Any], name: str) -> Any:
    """Claim the first item that is ready, for the job whose lease is in X-Lease-Token"""
    claimed = processing.claim(_caller(), name, _key())
    if claimed is None:
        return {"item": None}
    fields = ("id", "reference", "priority", "payload", "retries", "attempt", "deadline_at")
    item = {field: getattr(claimed.item, field) for field in fields}
    return {"item": {**item, "item_lease": claimed.item_lease, "lease_seconds": claimed.lease_seconds}}


@jobs.post("/queues/<path:name>/items", parameters=QUEUE)
@requires(None, principals=("robot",))
@jobs.doc(parameters=[LEASE, KEY])
@jobs.alt_response(409, description="The robot does not hold a job, or the queue does not take the item")
@jobs.arguments(schemas.JobItemIn)
@jobs.response(201, schemas.AddedOut)
def add_item(data: dict[str, Any], name: str) -> Any:
    """Add an item to a queue, from a running job; with the same Idempotency-Key once"""
    return processing.add(_caller(), name, data, _key())


@jobs.post(f"{ITEM}/renew")
@requires(None, principals=("robot",))
@jobs.doc(parameters=[LEASE])
@jobs.alt_response(409, description=NOT_HELD)
@jobs.arguments(schemas.HeldIn)
@jobs.response(200, schemas.RenewedOut)
def renew(data: dict[str, Any], row_id: int) -> Any:
    """Keep an item for its queue's `lease_seconds` from now on"""
    return {"lease_seconds": processing.renew(row_id, _caller(data))}


@jobs.post(f"{ITEM}/complete")
@requires(None, principals=("robot",))
@jobs.doc(parameters=[LEASE])
@jobs.alt_response(409, description=NOT_HELD)
@jobs.arguments(schemas.CompleteIn)
@jobs.response(200, schemas.SettledOut)
def complete(data: dict[str, Any], row_id: int) -> Any:
    """Report the result. The same again is accepted; another one, or that of a lost item, is a conflict"""
    return processing.complete(row_id, _caller(data), data["result"])


@jobs.post(f"{ITEM}/fail")
@requires(None, principals=("robot",))
@jobs.doc(parameters=[LEASE])
@jobs.alt_response(409, description=NOT_HELD)
@jobs.arguments(schemas.FailIn)
@jobs.response(200, schemas.SettledOut)
def fail(data: dict[str, Any], row_id: int) -> Any:
    """Report a failure: after an application failure the item is tried again, after a business failure never"""
    failure = Failure(
        kind=data["kind"],
        message=data["error_message"],
        code=data["error_code"],
        retry_after=data["retry_after_seconds"],
    )
    return processing.fail(row_id, _caller(data), failure)


@jobs.post(f"{ITEM}/release")
@requires(None, principals=("robot",))
@jobs.doc(parameters=[LEASE])
@jobs.alt_response(409, description=NOT_HELD)
@jobs.arguments(schemas.HeldIn)
@jobs.response(200, schemas.SettledOut)
def release(data: dict[str, Any], row_id: int) -> Any:
    """Give an item back, without counting the attempt"""
    return processing.release(row_id, _caller(data))


def _caller(data: dict[str, Any] | None = None) -> Caller:
    lease = request.headers.get(execution.LEASE_HEADER)
    return Caller(robot_id=access.principal().id, job_lease=lease, item_lease=(data or {}).get("item_lease", ""))


def _key() -> str | None:
    return request.headers.get("Idempotency-Key")
