"""Jobs as robots see them: claimed, kept by lease, and ended by the attempt that holds them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, NotFound

from bvo import events, leases, openapi, registry, settings, tokens
from bvo.database import db, transaction, utcnow
from bvo_hookspecs import EntityType
from bvo_processes.models import Process

from . import attempts, states
from .asks import CONFIRM, Claimed
from .eligibility import CROWDED, RUNNING, first_for, may_claim
from .models import Job
from .outcomes import ending, fingerprint
from .service import JobService

log = logging.getLogger(__name__)

NOT_HELD = "This attempt does not hold its job any more: its lease is lost. Stop working on it."
LEASE_HEADER = "X-Lease-Token"
LEASE_PARAMETER = openapi.header(
    LEASE_HEADER,
    "The `lease_token` of the attempt. Who sends none is judged by the robot alone: older runners know none",
)


class _Crowded(Exception):
    """Another robot was first to take the last place of a process."""


def claim(
    robot_id: int,
    *,
    confirms: bool = False,
    key: str | None = None,
    first: Callable[[Session], object] = lambda session: None,
) -> Claimed | None:
    """Give the first of the pending jobs that this robot may run, by priority and age, if it is not busy.

    A robot that `confirms` renews before it starts; until then the claim holds for a moment only. Asking again with the
    same `key` (an Idempotency-Key) gives the same job again: the answer was lost. What is to be done `first` is done in
    the same transaction.
    """
    digest = tokens.digest(key) if key else None
    while True:
        try:
            with transaction() as session:
                first(session)
                return _again(session, robot_id, confirms, digest) or _claim(session, robot_id, confirms, digest)
        except _Crowded:
            log.debug("Another robot was first to take the last place of a process: robot %s looks again", robot_id)


def _again(session: Session, robot_id: int, confirms: bool, key: str | None) -> Claimed | None:
    """The job claimed with this key, unless it was confirmed since: then the request is not repeated, but late."""
    if key is None:
        return None
    mine = select(Job).where(RUNNING, Job.robot_id == robot_id, Job.claim_key == key).with_for_update(of=Job)
    job = session.scalars(mine).one_or_none()
    if job is None or (confirms and job.confirmed_at):
        return None
    token = tokens.new("bvol")
    job.lease_hash = tokens.digest(token)
    job.lease_expires_at = utcnow() + (lease_time() if job.confirmed_at else CONFIRM)
    return Claimed(job, token, settings.read("jobs"))


def _claim(session: Session, robot_id: int, confirms: bool, key: str | None) -> Claimed | None:
    if not may_claim(session, robot_id):
        return None
    now = utcnow()
    lease = leases.take(
        session,
        Job,
        first_for(robot_id),
        ttl=CONFIRM if confirms else lease_time(),
        status=states.RUNNING,
        robot_id=robot_id,
        started_at=now,
        confirmed_at=None if confirms else now,
        claim_key=key,
    )
    if not lease.ids:
        return None
    job = session.get_one(Job, lease.ids[0], populate_existing=True)
    if job.timeout_seconds:
        job.deadline_at = now + timedelta(seconds=job.timeout_seconds)
    _check_place(session, job)
    session.flush()
    events.emit("started", entity(), job)
    return Claimed(job, lease.token, settings.read("jobs"))


def _check_place(session: Session, job: Job) -> None:
    """Raise _Crowded where the process allows fewer jobs at once than run now, this one included."""
    if job.process.max_running_jobs is None:
        return
    place = select(Process.id).where(Process.id == job.process_id)
    session.scalar(place.with_for_update(key_share=True))  # whoever else takes one waits, and then counts this one, too
    if session.scalar(place.where(CROWDED)):
        raise _Crowded


def held(job_id: int, robot_id: int, lease_token: str | None) -> Job:
    """The running job that this robot holds, locked until the running transaction ends.

    Raises NotFound, or Conflict where the attempt has lost it. A client that sends no lease is judged
    by its robot alone: older runners know none.
    """
    job = db.session.get(Job, job_id, with_for_update={"of": Job})
    if job is None or (job.robot_id != robot_id and attempts.lost(job_id, robot_id, lease_token) is None):
        raise NotFound(f"Job not found: this robot does not hold the job {job_id}.")
    if job.status != states.RUNNING or job.robot_id != robot_id or not _fits(job, lease_token):
        raise Conflict(f"Job {job_id} is {job.status} and no longer held by this attempt. Stop working on it.")
    return job


def held_by_lease(robot_id: int | None, lease_token: str | None) -> Job:
    """The job that this robot runs now, locked until the running transaction ends.

    Raises Conflict where it runs none, and where the lease is not that job's. One that has run out holds until the
    watchdog takes the job: only that decides, and knows when the wall clock has jumped.
    """
    query = select(Job).where(RUNNING, Job.robot_id == robot_id).with_for_update(of=Job)
    running = db.session.scalars(query).one_or_none()
    if running is None:
        raise Conflict("This robot does not hold a job now. Claim one first.")
    if not _fits(running, lease_token):
        raise Conflict(NOT_HELD)
    return running


def check_in_time(job: Job) -> None:
    """Raise Conflict where the lease of a held job has run out: what can't be taken back is not given on such a one."""
    if job.lease_expires_at is not None and job.lease_expires_at < utcnow():
        raise Conflict(NOT_HELD)


def renew(robot_id: int, lease_tokens: Mapping[int, str] | None) -> dict[int, str]:
    """Keep what the robot still holds, and tell it for each job: `valid`, `stop` (cancelled, or out of time) or `lost`.

    The first renewal of a claim confirms it. `lease_tokens` maps job ids to leases; None comes from an older runner,
    whose one job is kept by its robot's name.
    """
    with transaction() as session:
        if lease_tokens is None:
            session.execute(
                update(Job)
                .where(RUNNING, Job.robot_id == robot_id)
                .values(lease_expires_at=utcnow() + lease_time())
                .execution_options(synchronize_session=False)
            )
            return {}
        return {
            job_id: "valid" if _renew_one(session, robot_id, job_id, token) else _why_lost(job_id, robot_id, token)
            for job_id, token in lease_tokens.items()
        }


def finish(job_id: int, robot_id: int, lease_token: str | None, outcome: Mapping[str, Any]) -> None:
    """Accept the result of the attempt that holds the job. The same again changes nothing; another is a Conflict.

    What an attempt reports after it has lost the job is a Conflict, too, and is kept beside the job.
    """
    report = (job_id, robot_id, lease_token, outcome)
    with _kept_if_late(*report), transaction() as session:
        _accept(*report, session)


def finish_and_claim(
    job_id: int,
    robot_id: int,
    lease_token: str | None,
    outcome: Mapping[str, Any],
    *,
    confirms: bool = False,
    key: str | None = None,
) -> Claimed | None:
    """`finish` and `claim` in one transaction: where the result is refused, nothing is claimed."""
    report = (job_id, robot_id, lease_token, outcome)
    with _kept_if_late(*report):
        return claim(robot_id, confirms=confirms, key=key, first=partial(_accept, *report))


def stopped(job_id: int, robot_id: int, lease_token: str | None, words: str) -> None:
    """Note beside a job that the server had ended how its script ended. Raises NotFound, or Conflict if it had not."""
    with transaction() as session:
        job = session.get(Job, job_id, with_for_update={"of": Job})
        if job is None or job.robot_id != robot_id:
            raise NotFound(f"Job not found: this robot does not hold the job {job_id}.")
        if not _fits(job, lease_token) or _why_lost(job_id, robot_id, lease_token) != "stop":
            raise Conflict(f"Job {job_id} is {job.status}, so nothing was to be stopped.")
        if job.stop_report == words:
            return
        before = events.snapshot(entity(), job)
        job.stop_report = words
        session.flush()
        events.emit("stopped", entity(), job, before=before)


def holds_package(robot_id: int, package_id: int) -> bool:
    """True where the robot runs a job of this package now."""
    query = select(Job.id).where(RUNNING, Job.robot_id == robot_id, Job.package_id == package_id).limit(1)
    return db.session.scalar(query) is not None


def lease_time() -> timedelta:
    return timedelta(seconds=settings.get("jobs.lease_seconds"))


def entity() -> EntityType:
    return registry.current().service(JobService).entity


@contextmanager
def _kept_if_late(job_id: int, robot_id: int, lease_token: str | None, outcome: Mapping[str, Any]) -> Iterator[None]:
    try:
        yield
    except Conflict:
        attempts.keep_late(job_id, robot_id, lease_token, outcome)
        raise


def _accept(job_id: int, robot_id: int, lease_token: str | None, outcome: Mapping[str, Any], session: Session) -> None:
    digest = fingerprint(outcome)
    known = session.get(Job, job_id, with_for_update={"of": Job})  # a cancel at the same time waits, or was first
    if known and known.robot_id == robot_id and known.result_fingerprint == digest:
        return
    job = held(job_id, robot_id, lease_token)
    before = events.snapshot(entity(), job)
    states.check(job.status, outcome["status"], states.RESULT)
    job.finished_at, job.result_fingerprint = utcnow(), digest
    for name, value in ending(outcome).items():
        setattr(job, name, value)
    session.flush()
    events.emit(job.status, entity(), job, before=before)


def _fits(job: Job, lease_token: str | None) -> bool:
    """True where the lease is the job's; also where none was sent, as older runners do."""
    return not lease_token or job.lease_hash == tokens.digest(lease_token)


def _renew_one(session: Session, robot_id: int, job_id: int, token: str) -> int:
    mine = (RUNNING, Job.id == job_id, Job.robot_id == robot_id)
    confirmed = func.coalesce(Job.confirmed_at, utcnow())
    return leases.renew(session, Job, token, lease_time(), *mine, confirmed_at=confirmed)


def _why_lost(job_id: int, robot_id: int, token: str | None) -> str:
    """`stop` where somebody decided it, so that the script is ended with grace; else `lost`."""
    found = attempts.lost(job_id, robot_id, token)
    return "stop" if found and found.reason in attempts.DECIDED else "lost"
