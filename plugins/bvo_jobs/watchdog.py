"""What ends or repeats jobs by itself: lost leases, deadlines, waits that are over. Runs in every worker; no leader."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from bvo import clock, events, leases, settings
from bvo.clock import Pace
from bvo.database import transaction, utcnow
from bvo.wakeups import tell

from . import attempts, states
from .eligibility import PENDING, RUNNING
from .execution import entity, held, lease_time
from .models import Job
from .wakeups import LOOK

BATCH, WAITS_BATCH = 100, 1000
LOST = "lease_lost: the robot was not heard of any more while it ran this job."
RELEASED = "lease_lost: the runner was killed or cut off while it ran this job. It has ended the script, and says so."
POISON = f"poison: {attempts.POISONOUS} robots were lost while they ran this job. It may be the reason itself."

pace = Pace()


def sweep() -> None:
    """Look at everything that has its time, every `jobs.sweep_seconds`. Each job is judged once, whoever looks."""
    if pace.is_due(settings.get("jobs.sweep_seconds")):
        end_waits()
        expire_leases()
        expire_deadlines()


def count_anew() -> None:
    """Count leases, deadlines and waits from now on, after the wall clock has jumped. Twice is once."""
    with transaction() as session:
        _set(session, {"lease_expires_at": utcnow() + lease_time()}, RUNNING)
        limits = select(Job.timeout_seconds).where(RUNNING, Job.deadline_at.is_not(None)).distinct()
        for seconds in session.scalars(limits).all():
            limit = timedelta(seconds=seconds or 0)
            _set(session, {"deadline_at": utcnow() + limit}, RUNNING, Job.timeout_seconds == seconds)
    last: int | None = 0
    while last is not None:
        last = _wait_anew(last)


def _wait_anew(after: int) -> int | None:
    """Let the jobs with higher ids than `after` wait as long as they were to. Returns the last id of a full batch."""
    waiting = select(Job.id, Job.retry_delay_seconds, Job.attempt).where(PENDING, Job.available_at.is_not(None))
    with transaction() as session:
        rows = session.execute(waiting.where(Job.id > after).order_by(Job.id).limit(WAITS_BATCH)).all()
        ids = defaultdict(list)
        for row in rows:
            ids[leases.backoff(row.retry_delay_seconds, row.attempt)].append(row.id)
        for wait, some in ids.items():
            _set(session, {"available_at": utcnow() + wait}, PENDING, Job.available_at.is_not(None), Job.id.in_(some))
    return rows[-1].id if len(rows) == WAITS_BATCH else None


def _set(session: Session, values: dict[str, Any], *where: ColumnElement[bool]) -> None:
    session.execute(update(Job).where(*where).values(values).execution_options(synchronize_session=False))


def end_waits() -> None:
    """Let the jobs be claimed whose wait is over."""
    due = (PENDING, Job.available_at <= utcnow())
    with transaction() as session:
        ended = session.execute(
            update(Job).where(*due).values(available_at=None).execution_options(synchronize_session=False)
        )
    if ended.rowcount:  # type: ignore[attr-defined]
        tell(LOOK)


def expire_leases() -> None:
    """Take the jobs from robots that are silent: what may be started again waits for that, the rest fails."""
    with transaction() as session:
        for job in _some(session, leases.expired(Job)):
            _take_away(session, job, LOST)


def release(job_id: int, robot_id: int, lease_token: str | None, *, started: bool) -> None:
    """Take a job from the robot that gives it up, by the same rules as from one that is silent.

    One that was not `started` goes back without counting the attempt, also where the claim was confirmed.

    Raises NotFound, or Conflict where the robot does not hold it any more.
    """
    with transaction() as session:
        session.get(Job, job_id, with_for_update={"of": Job})  # a watchdog that looks at the same time skips it
        job = held(job_id, robot_id, lease_token)
        job.confirmed_at = job.confirmed_at if started else None
        _take_away(session, job, RELEASED)


def expire_deadlines() -> None:
    """Fail the jobs that have run longer than they may. Their robots are told to stop with the next heartbeat."""
    with transaction() as session:
        for job in _some(session, Job.deadline_at < utcnow()):
            before = events.snapshot(entity(), job)
            attempts.note(session, job, attempts.TIMEOUT)
            _fail(job, attempts.TIMEOUT, f"timeout: it ran longer than {job.timeout_seconds} s.", states.DEADLINE)
            session.flush()
            events.emit(states.FAILED, entity(), job, before=before)


def _some(session: Session, condition: ColumnElement[bool]) -> list[Job]:
    """Some of the running jobs, locked; none where the clock has jumped: they were judged by a time that is not."""
    query = select(Job).where(RUNNING, condition).limit(BATCH).with_for_update(skip_locked=True, of=Job)
    found = list(session.scalars(query).unique())
    return [] if clock.guard.jumped() else found


def _take_away(session: Session, job: Job, words: str) -> None:
    before = events.snapshot(entity(), job)
    if job.confirmed_at is None:
        _give_back(job, attempt=job.attempt - 1)
        kind = "released"
    else:
        kind = _lose(session, job, words)
    session.flush()
    events.emit(kind, entity(), job, before=before)


def _lose(session: Session, job: Job, words: str) -> str:
    attempts.note(session, job, attempts.LEASE_LOST)
    session.flush()
    if attempts.is_poison(session, job):
        return _fail(job, attempts.POISON, POISON, states.LEASE_LOST)
    if job.attempt >= job.max_attempts:
        return _fail(job, attempts.LEASE_LOST, words, states.LEASE_LOST)
    _give_back(job, attempt=job.attempt)
    job.available_at = utcnow() + _wait(job) if job.retry_delay_seconds else None
    return "requeued"


def _wait(job: Job) -> timedelta:
    """How long it waits after the attempt that it has lost last."""
    return leases.backoff(job.retry_delay_seconds, job.attempt)


def _give_back(job: Job, attempt: int) -> None:
    states.check(job.status, states.PENDING, states.LEASE_LOST)
    job.status, job.attempt = states.PENDING, attempt
    job.robot_id = job.robot_id if job.is_assigned else None
    job.lease_hash = job.lease_expires_at = job.started_at = job.deadline_at = job.claim_key = None
    job.progress, job.log_characters = None, 0


def _fail(job: Job, code: str, words: str, cause: str) -> str:
    states.check(job.status, states.FAILED, cause)
    job.status, job.finished_at = states.FAILED, utcnow()
    job.error_code, job.error_message = code, words
    return states.FAILED
