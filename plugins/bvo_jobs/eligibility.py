"""Which robot may take which job: one definition, which the claim and *why is it waiting?* ask of the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, func, literal_column, not_, or_, select, true, tuple_
from sqlalchemy.orm import Session, aliased

from bvo import settings
from bvo.database import db
from bvo_processes.models import Process
from bvo_robots.models import Robot

from . import states
from .models import Job

PENDING, RUNNING = Job.status == literal_column("'pending'"), Job.status == literal_column("'running'")
"""As literals, so that the partial indexes are seen to apply."""
ONE = literal_column("1", Integer)
"""A literal, too: a plan for any number would be made for a tenth of all jobs."""
READY = and_(PENDING, Job.available_at.is_(None))
MAX_ROBOTS = 200
END_OF_RANKS = 2**31 - 1

_other = aliased(Job)
_running = _other.status == literal_column("'running'")

ASSIGNED, OPEN = Job.robot_id == Robot.id, Job.robot_id.is_(None)
IDLE = not_(select(_other.id).where(_running, _other.robot_id == Robot.id).exists())
ACCEPTING = Robot.is_draining.is_(False)
_IS_LIMITED = Process.max_running_jobs.is_not(None)
_JOBS = select(func.count(_other.id)).where(_running, _other.process_id == Process.id).scalar_subquery()
FULL = and_(_IS_LIMITED, Process.max_running_jobs <= _JOBS)
CROWDED = and_(_IS_LIMITED, Process.max_running_jobs < _JOBS)
"""More jobs of the process run than it allows: two have taken its last place. Whoever counts has locked it before."""
HAS_PLACE = Job.process_id.not_in(select(Process.id).where(FULL))


@dataclass(frozen=True)
class Condition:
    """Part of what a claim asks for. `words` say what is wrong where it does not hold."""

    holds: ColumnElement[bool]
    words: str


OF_JOB = (
    Condition(PENDING, "The job is not pending."),
    Condition(Job.available_at.is_(None), "The job waits before its next attempt."),
    Condition(not_(FULL), "As many jobs of its process run as the process allows (max_running_jobs)."),
)
OF_ROBOT = (
    Condition(or_(OPEN, ASSIGNED), "The job is meant for another robot."),
    Condition(ACCEPTING, "The robot is draining: it takes nothing new."),
    Condition(IDLE, "The robot runs another job."),
)
SEEN = Condition(Robot.status == "online", "The robot is offline: it does not ask for work.")


def may_claim(session: Session, robot_id: int) -> bool:
    """True where the robot, and the server, take on work now."""
    if settings.get("jobs.draining"):
        return False
    return session.scalar(select(Robot.id).where(Robot.id == robot_id, ACCEPTING, IDLE)) is not None


def first_for(robot_id: Any) -> ColumnElement[int]:
    """The id of the job to claim: the first of the robot's own, or one of everybody's that comes before it.

    Two walks along two partial indexes, each of which ends at its first row. The robot's own is locked first, which
    takes it from nobody; one of everybody's is locked only to be taken, so that no other robot skips it in vain.

    The places of a process are counted as they are committed. Who has taken a job of one that is limited locks the
    process and counts once more: see CROWDED.
    """
    own = _walk(Job.robot_id == robot_id).cte("own")
    position = tuple_(
        func.coalesce(select(own.c.rank).scalar_subquery(), END_OF_RANKS),
        func.coalesce(select(own.c.id).scalar_subquery(), END_OF_RANKS),
    )
    shared = _walk(Job.robot_id.is_(None)).where(tuple_(Job.rank, Job.id) < position).cte("shared")
    chosen = func.coalesce(select(shared.c.id).scalar_subquery(), select(own.c.id).scalar_subquery())
    return select(chosen).scalar_subquery()


def _walk(whose: ColumnElement[bool]) -> Select[int, int]:
    query = select(Job.id, Job.rank).where(READY, HAS_PLACE, whose).order_by(Job.rank, Job.id).limit(ONE)
    return query.with_for_update(skip_locked=True)


def waiting(job_id: int) -> dict[str, Any]:
    """Why a job is not claimed: what keeps every robot from it, and what keeps each one."""
    job = _failing(OF_JOB, job_id, robots=False)[0][1]
    if settings.get("jobs.draining"):
        job = [*job, "The server is draining: no robot gets anything new (jobs.draining)."]
    robots = [
        {"robot_id": row.id, "robot": row.name, "reasons": reasons}
        for row, reasons in _failing((*OF_ROBOT, SEEN), job_id, robots=True)
    ]
    if not robots:
        job = [*job, "There are no robots. Start `bvo runner` on a machine."]
    pending = db.session.scalar(select(Job.status).where(Job.id == job_id)) == states.PENDING
    return {"waiting": pending, "reasons": job, "robots": robots}


def _failing(conditions: tuple[Condition, ...], job_id: int, *, robots: bool) -> list[tuple[Any, list[str]]]:
    """The words of the conditions that do not hold: for the job alone, or for the job and each robot."""
    columns = [condition.holds for condition in conditions]
    query = select(*columns).select_from(Job).join(Process, Process.id == Job.process_id).where(Job.id == job_id)
    if robots:
        query = query.add_columns(Robot.id, Robot.name).join(Robot, true()).order_by(Robot.name).limit(MAX_ROBOTS)
    return [
        (row, [condition.words for condition, holds in zip(conditions, row, strict=False) if not holds])
        for row in db.session.execute(query)
    ]
