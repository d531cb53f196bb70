"""Jobs as robots see them: claimed, kept by lease, and ended by the attempt that holds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import literal_column, or_, select, update
from werkzeug.exceptions import Conflict, NotFound

from bvo import events, leases, registry, settings, tokens
from bvo.database import db, transaction, utcnow
from bvo_hookspecs import EntityType

from . import states
from .models import Job
from .service import JobService

PENDING, RUNNING = Job.status == literal_column("'pending'"), Job.status == literal_column("'running'")
"""As literals, so that the partial indexes are seen to apply."""


@dataclass(frozen=True)
class Claimed:
    """A job that a robot has just taken, and the secret by which it holds it."""

    job: Job
    lease_token: str


def claim(robot_id: int) -> Claimed | None:
    """Give the oldest pending job that this robot may run, if it is not busy. One robot holds one job at a time."""
    with transaction() as session:
        if session.scalar(select(Job.id).where(RUNNING, Job.robot_id == robot_id).limit(1)) is not None:
            return None
        lease = leases.claim(
            session,
            Job,
            PENDING,
            or_(Job.robot_id == robot_id, Job.robot_id.is_(None)),
            ttl=lease_time(),
            status=states.RUNNING,
            robot_id=robot_id,
            started_at=utcnow(),
        )
        if not lease.ids:
            return None
        job = session.get_one(Job, lease.ids[0])
        events.emit("started", _entity(), job)
        return Claimed(job, lease.token)


def held(job_id: int, robot_id: int, lease_token: str | None) -> Job:
    """The running job that this robot holds. Raises NotFound, or Conflict where the attempt has lost it.

    A client that sends no lease is judged by its robot alone: older runners know none.
    """
    job = db.session.get(Job, job_id)
    if job is None or job.robot_id != robot_id:
        raise NotFound(f"Job not found: this robot does not hold the job {job_id}.")
    if job.status != states.RUNNING or not _fits(job, lease_token):
        raise Conflict(f"Job {job_id} is {job.status} and no longer held by this attempt. Stop working on it.")
    return job


def held_by_lease(robot_id: int | None, lease_token: str | None) -> Job:
    """The job that this robot runs now, locked until the running transaction ends.

    Raises Conflict where it runs none, where the lease is not that job's, and where the lease has run out.
    """
    query = select(Job).where(RUNNING, Job.robot_id == robot_id).with_for_update(of=Job)
    running = db.session.scalars(query).one_or_none()
    if running is None:
        raise Conflict("This robot does not hold a job now. Claim one first.")
    if not _fits(running, lease_token) or leases.has_expired(running):
        raise Conflict("This attempt does not hold its job any more: its lease is lost. Stop working on it.")
    return running


def _fits(job: Job, lease_token: str | None) -> bool:
    """True where the lease is the job's; also where none was sent, as older runners do."""
    return not lease_token or job.lease_hash == tokens.digest(lease_token)


def renew(robot_id: int, lease_tokens: Mapping[int, str] | None) -> dict[int, str]:
    """Keep what the robot still holds, and tell it for each job: `valid`, `stop` (cancelled) or `lost`.

    `lease_tokens` maps job ids to leases; None comes from an older runner, whose one job is kept by its robot's name.
    """
    with transaction() as session:
        if lease_tokens is None:
            expires = utcnow() + lease_time()
            session.execute(
                update(Job)
                .where(RUNNING, Job.robot_id == robot_id)
                .values(lease_expires_at=expires)
                .execution_options(synchronize_session=False)
            )
            return {}
        return {
            job_id: "valid" if _renew_one(session, job_id, token) else _why_lost(job_id, token)
            for job_id, token in lease_tokens.items()
        }


def finish(job_id: int, robot_id: int, lease_token: str | None, outcome: Mapping[str, Any]) -> Job:
    """Accept the result of the attempt that holds the job. The same again changes nothing; another is a Conflict."""
    fingerprint = hashlib.sha256(json.dumps(outcome, sort_keys=True).encode()).hexdigest()
    with transaction() as session:
        known = session.get(Job, job_id, with_for_update={"of": Job})  # a cancel at the same time waits, or was first
        if known and known.robot_id == robot_id and known.result_fingerprint == fingerprint:
            return known
        job = held(job_id, robot_id, lease_token)
        before = events.snapshot(_entity(), job)
        states.check(job.status, outcome["status"])
        job.status, job.finished_at, job.result_fingerprint = outcome["status"], utcnow(), fingerprint
        job.result, job.error_message = _result(outcome), outcome.get("error_message")
        session.flush()
        events.emit(job.status, _entity(), job, before=before)
        return job


def fail_lost_jobs() -> None:
    """Fail the running jobs whose lease has run out: their robots are gone. Nothing is started a second time."""
    with transaction() as session:
        lost = select(Job).where(RUNNING, leases.expired(Job)).limit(100).with_for_update(skip_locked=True, of=Job)
        for job in session.scalars(lost):
            before = events.snapshot(_entity(), job)
            job.status, job.finished_at = states.FAILED, utcnow()
            job.error_message = "lease_lost: the robot was not heard of any more while it ran this job."
            session.flush()
            events.emit(states.FAILED, _entity(), job, before=before)


def holds_package(robot_id: int, package_id: int) -> bool:
    """True where the robot runs a job of this package now."""
    query = select(Job.id).where(RUNNING, Job.robot_id == robot_id, Job.package_id == package_id).limit(1)
    return db.session.scalar(query) is not None


def lease_time() -> timedelta:
    return timedelta(seconds=settings.get("jobs.lease_seconds"))


def _renew_one(session: Any, job_id: int, token: str) -> int:
    return leases.renew(session, Job, token, lease_time(), RUNNING, Job.id == job_id)


def _why_lost(job_id: int, token: str) -> str:
    query = select(Job.status).where(Job.id == job_id, Job.lease_hash == tokens.digest(token))
    return "stop" if db.session.scalar(query) == states.CANCELED else "lost"


def _result(outcome: Mapping[str, Any]) -> dict[str, Any] | None:
    """The reference keeps the log's tail inside the result."""
    result, logs = outcome.get("result"), outcome.get("logs")
    return result if logs is None else {**(result or {}), "logs": logs}


def _entity() -> EntityType:
    return registry.current().service(JobService).entity
