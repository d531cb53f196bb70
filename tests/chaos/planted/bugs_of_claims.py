"""Bugs in who gets a job, and who is held to have it."""

from __future__ import annotations

import time
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from patches import Patch, bug


@bug
def claim_without_guard(patch: Patch) -> None:
    """A job that runs can be claimed once more, by anybody."""
    from bvo_jobs.models import Job

    patch.set("bvo_jobs.eligibility:READY", Job.status.in_(("pending", "running")))
    before = patch.set("bvo_jobs.eligibility:_walk", lambda whose: before(Job.id > 0))


@bug
def two_jobs_a_robot(patch: Patch) -> None:
    """A robot that runs a job gets another one. (The unique index is dropped, too.)"""
    patch.set("bvo_jobs.execution:may_claim", lambda session, robot_id: True)


@bug
def claim_skips_jobs(patch: Patch) -> None:
    """Every other job is never found."""
    from bvo_jobs.models import Job

    def walk(whose: Any) -> Any:
        return before(whose & (Job.id % 2 == 0))

    before = patch.set("bvo_jobs.eligibility:_walk", walk)


@bug
def a_key_is_anybodys(patch: Patch) -> None:
    """A claim's Idempotency-Key gives the job to whoever sends it."""
    from bvo_jobs.models import Job

    def again(session: Any, robot_id: int, confirms: bool, key: str | None) -> Any:
        found = key and session.query(Job.robot_id).filter(Job.claim_key == key).scalar()
        return before(session, found or robot_id, confirms, key)

    before = patch.set("bvo_jobs.execution:_again", again)


@bug
def attempts_are_not_counted(patch: Patch) -> None:
    """A claim leaves the number of attempts as it was."""
    from bvo_jobs.models import Job

    def claim(session: Any, *arguments: Any) -> Any:
        claimed = before(session, *arguments)
        if claimed:
            claimed.job.attempt = Job.attempt - 1
            session.flush()
            session.refresh(claimed.job)
        return claimed

    before = patch.set("bvo_jobs.execution:_claim", claim)


@bug
def transactions_are_deferred(patch: Patch) -> None:
    """SQLite locks the database when something is written first, not when the transaction begins, which takes long.

    Nor do the threads of a server take turns, which would keep it from showing within one process.
    """

    def execute(connection: Any, statement: str, *more: Any, **options: Any) -> Any:
        return before(connection, statement.replace("BEGIN IMMEDIATE", "BEGIN"), *more, **options)

    def look_long(*arguments: Any) -> bool:
        time.sleep(0.3)  # longer than a busy machine keeps the others from beginning
        return may_claim(*arguments)

    before = patch.set("sqlalchemy.engine:Connection.exec_driver_sql", execute)
    patch.set("bvo.database:writing", lambda engine: nullcontext())
    may_claim = patch.set("bvo_jobs.execution:may_claim", look_long)


@bug
def result_without_its_lease(patch: Patch) -> None:
    """Whatever lease comes with a result fits."""
    patch.set("bvo_jobs.execution:_fits", lambda job, lease_token: True)


@bug
def renewal_without_its_lease(patch: Patch) -> None:
    """Whoever renews is told that the lease holds."""
    patch.set("bvo_jobs.execution:_renew_one", lambda session, robot_id, job_id, token: 1)


@bug
def result_of_a_lost_attempt(patch: Patch) -> None:
    """A job that has gone back still takes the result of the attempt that has lost it."""
    from bvo.database import db
    from bvo_jobs import states
    from bvo_jobs.models import Job

    patch.set("bvo_jobs.states:TRANSITIONS", {**states.TRANSITIONS, ("pending", "completed"): {"result"}})
    patch.set("bvo_jobs.execution:held", lambda job_id, robot_id, lease_token: db.session.get(Job, job_id))


@bug
def result_after_cancel(patch: Patch) -> None:
    """A result that comes after the cancel replaces it."""
    from bvo.database import db
    from bvo_jobs import states
    from bvo_jobs.models import Job

    patch.set("bvo_jobs.states:TRANSITIONS", {**states.TRANSITIONS, ("canceled", "completed"): {"result"}})
    patch.set("bvo_jobs.execution:held", lambda job_id, robot_id, lease_token: db.session.get(Job, job_id))


@bug
def lease_shorter_than_told(patch: Patch) -> None:
    """The server counts less time than it has told the robot."""
    patch.set("bvo_jobs.execution:lease_time", lambda: timedelta(seconds=0.2))


@bug
def clock_steps_unseen(patch: Patch) -> None:
    """When the clock is set forward, every lease seems to have run out."""
    patch.set("bvo.clock:ClockGuard.jumped", lambda guard: False)
