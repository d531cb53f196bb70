"""Queue items as running jobs see them: claimed, kept by lease, and settled by the attempt that holds them.

Whatever a job does to items is fenced twice: by the lease of the job, which must run now, and by that of the item.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, NotFound, UnprocessableEntity

from bvo import events, leases, registry, tokens
from bvo.database import transaction, utcnow
from bvo_hookspecs import EntityType
from bvo_jobs import execution
from bvo_jobs.models import Job

from . import states
from .models import IN_PROGRESS, READY, Queue, QueueItem
from .service import QueueItemService, let_go

ORDER = (QueueItem.rank.asc(), QueueItem.id.asc())


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The robot that asks, the lease of the job that it runs, and that of the item where it is about one."""

    robot_id: int | None
    job_lease: str | None
    item_lease: str = ""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why an attempt at an item failed. `retry_after` is in seconds; None: as the queue says."""

    kind: str = states.APPLICATION
    message: str
    code: str | None = None
    retry_after: int | None = None


@dataclass(frozen=True)
class Claimed:
    """An item that a job has just taken, the secret by which it holds it, and for how many seconds."""

    item: QueueItem
    item_lease: str
    lease_seconds: int


def claim(caller: Caller, queue_name: str, key: str | None = None) -> Claimed | None:
    """Give the job the first item of the queue that is ready, by priority and age; None where nothing is.

    Asking again with the same `key` (an Idempotency-Key) gives the same item again, under a new lease: the answer
    was lost. Raises Conflict where the job is not held, NotFound where there is no such queue.
    """
    digest = tokens.digest(key) if key else None
    with transaction() as session:
        job = _job(caller)
        queue = _queue(session, queue_name)
        return _again(session, job, queue, digest) or _claim(session, job, queue, digest)


def add(caller: Caller, queue_name: str, data: Mapping[str, Any], key: str | None = None) -> QueueItem:
    """Add an item to a queue, for the job. The same `key` (an Idempotency-Key) again gives the item that was added."""
    with transaction() as session:
        job = _job(caller)
        digest = tokens.digest(f"{job.id}.{job.attempt}.{key}") if key else None
        if digest and (item := session.scalars(select(QueueItem).filter_by(added_key=digest)).one_or_none()):
            return item
        return _service().add(session, _queue(session, queue_name), data, added_key=digest)


def renew(item_id: int, caller: Caller) -> int:
    """Hold the item for the seconds that are returned, from now on. Raises Conflict where it is lost."""
    with transaction() as session:
        item = _held(session, item_id, _job(caller), caller.item_lease)
        seconds = session.get_one(Queue, item.queue_id).lease_seconds
        same = {"updated_at": QueueItem.updated_at}  # nothing that is shown has changed
        leases.renew(session, QueueItem, caller.item_lease, timedelta(seconds=seconds), QueueItem.id == item_id, **same)
        return seconds


def complete(item_id: int, caller: Caller, result: Any) -> QueueItem:
    """Accept the result. The same again changes nothing; another one, or that of a lost item, is a Conflict."""
    return _settle(item_id, caller, {"result": result}, lambda session, item: _complete(item, result))


def fail(item_id: int, caller: Caller, failure: Failure) -> QueueItem:
    """Accept that the attempt failed: an application failure is tried again as the queue allows, another one never."""
    outcome = {"failure": [failure.kind, failure.message, failure.code, failure.retry_after]}
    return _settle(item_id, caller, outcome, lambda session, item: end_badly(session, item, failure, states.RESULT))


def release(item_id: int, caller: Caller) -> QueueItem:
    """Take the item back as if this attempt had not been."""
    return _settle(item_id, caller, {}, lambda session, item: _release(item))


def end_badly(session: Session, item: QueueItem, failure: Failure, cause: str) -> str:
    """End an attempt that failed: the item waits for the next one, or has failed. Returns the event's kind."""
    queue = session.get_one(Queue, item.queue_id)
    again = failure.kind == states.APPLICATION and item.retries < queue.max_retries
    following = states.NEW if again else states.FAILED
    states.check(item.status, following, cause)
    item.status, item.failure_kind = following, failure.kind
    item.error_code, item.error_message = failure.code, failure.message
    let_go(item)
    if not again:
        return states.FAILED
    item.retries += 1
    delay = leases.backoff(queue.retry_delay_seconds, item.retries)
    delay = delay if failure.retry_after is None else timedelta(seconds=failure.retry_after)
    item.available_at = utcnow() + delay if delay else None
    item.wait_seconds = int(delay.total_seconds()) if delay else None
    return "requeued"


def entity() -> EntityType:
    return _service().entity


def _service() -> QueueItemService:
    return registry.current().service(QueueItemService)


def _job(caller: Caller) -> Job:
    """The job that the robot runs, locked: it can't end before what it does to items is committed."""
    if not caller.job_lease:
        raise UnprocessableEntity(
            f"Queue items are for running jobs: send the lease of the job as {execution.LEASE_HEADER}."
        )
    return execution.held_by_lease(caller.robot_id, caller.job_lease)


def _queue(session: Session, name: str) -> Queue:
    queue = session.scalars(select(Queue).where(Queue.name == name)).one_or_none()
    if queue is None:
        raise NotFound(f"Queue not found: there is none named {name!r}. Create it first.")
    return queue


def _again(session: Session, job: Job, queue: Queue, key: str | None) -> Claimed | None:
    if key is None:
        return None
    mine = (QueueItem.job_id == job.id, QueueItem.job_attempt == job.attempt, QueueItem.claim_key == key)
    query = select(QueueItem).where(IN_PROGRESS, *mine, QueueItem.queue_id == queue.id).with_for_update()
    item = session.scalars(query).first()
    if item is None:
        return None
    token = tokens.new("bvol")
    item.lease_hash, item.lease_expires_at = tokens.digest(token), utcnow() + timedelta(seconds=queue.lease_seconds)
    return Claimed(item, token, queue.lease_seconds)


def _claim(session: Session, job: Job, queue: Queue, key: str | None) -> Claimed | None:
    lease = _take(session, job, queue, key)
    if not lease.ids and _wait_for_one(session, queue):
        lease = _take(session, job, queue, key)
    if not lease.ids:
        return None
    item = session.get_one(QueueItem, lease.ids[0], populate_existing=True)
    events.emit("started", entity(), item)
    return Claimed(item, lease.token, queue.lease_seconds)


def _take(session: Session, job: Job, queue: Queue, key: str | None) -> leases.Lease:
    return leases.claim(
        session,
        QueueItem,
        *_ready(queue),
        ttl=timedelta(seconds=queue.lease_seconds),
        order_by=ORDER,
        status=states.IN_PROGRESS,
        locked_by_robot_id=job.robot_id,
        locked_at=utcnow(),
        claim_key=key,
        job_id=job.id,
        job_attempt=job.attempt,
    )


def _wait_for_one(session: Session, queue: Queue) -> bool:
    """Lock an item that a claim has skipped, once whoever had it locked has left it ready; False where none is.

    An operator who changes the last item must not make the queue look empty.
    """
    query = select(QueueItem.id).where(*_ready(queue)).order_by(*ORDER).limit(1).with_for_update()
    return session.scalar(query) is not None


def _ready(queue: Queue) -> tuple[ColumnElement[bool], ...]:
    in_time = or_(QueueItem.deadline_at.is_(None), QueueItem.deadline_at > utcnow())
    return READY, QueueItem.queue_id == queue.id, in_time


def _held(session: Session, item_id: int, job: Job, item_lease: str) -> QueueItem:
    """The item, locked. Raises NotFound, or Conflict where the job does not hold it any more."""
    item = session.get(QueueItem, item_id, with_for_update=True, populate_existing=True)
    if item is None:
        raise NotFound(f"Queue item not found: there is none with the id {item_id}.")
    mine = item.status == states.IN_PROGRESS and (item.job_id, item.job_attempt) == (job.id, job.attempt)
    if not mine or item.lease_hash != tokens.digest(item_lease):
        raise Conflict(f"This job does not hold the queue item {item_id} any more. Stop working on it.")
    return item


def _settle(
    item_id: int, caller: Caller, outcome: Mapping[str, Any], change: Callable[[Session, QueueItem], str]
) -> QueueItem:
    """Let the job that holds the item end its attempt. The same again changes nothing."""
    parts = [caller.item_lease, outcome]
    fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    with transaction() as session:
        job = _job(caller)
        known = session.get(QueueItem, item_id, with_for_update=True, populate_existing=True)
        if known and known.result_fingerprint == fingerprint:
            return known
        item = _held(session, item_id, job, caller.item_lease)
        before = events.snapshot(entity(), item)
        kind = change(session, item)
        item.result_fingerprint = fingerprint
        session.flush()
        events.emit(kind, entity(), item, before=before)
        return item


def _complete(item: QueueItem, result: Any) -> str:
    states.check(item.status, states.COMPLETED, states.RESULT)
    item.status, item.result = states.COMPLETED, result
    item.failure_kind = item.error_code = item.error_message = None
    let_go(item)
    return states.COMPLETED


def _release(item: QueueItem) -> str:
    states.check(item.status, states.NEW, states.RESULT)
    item.status, item.attempt = states.NEW, item.attempt - 1
    let_go(item)
    return "released"
