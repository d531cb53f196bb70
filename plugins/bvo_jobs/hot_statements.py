"""The statements of `hot`, compiled once: the same expressions that everything else uses."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from sqlalchemy import Dialect, Integer, String, Table, bindparam, func, literal_column, select, update

from bvo import event_log, leases, settings
from bvo.database import UTCDateTime
from bvo.statements import Statement, Together, given, inserts, one_of, updates
from bvo_machines.models import Machine
from bvo_processes.models import Process
from bvo_robots.models import Robot

from . import states
from .eligibility import ACCEPTING, CROWDED, HAS_PLACE, IDLE, OPEN, READY, RUNNING, first_for
from .models import Job
from .outcomes import ENDING

TAKEN = {
    name: Job.__table__.c[name].type
    for name in ("robot_id", "lease_hash", "lease_expires_at", "started_at", "confirmed_at", "claim_key")
}
"""What a claim writes to its job, beside the new status and the count of attempts."""
OF_PROCESS = "of_process_"
"""What the columns of a job's process begin with, beside those of the job."""
LOGGED = [column.name for column in event_log.TABLE.c if not column.primary_key]


class Statements:
    """The statements of the hot actions for one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        def compiled(statement: Any) -> Statement:
            return Statement(statement, dialect)

        claimable = select(Job.id).where(READY, HAS_PLACE)
        some = claimable.where(Job.robot_id.is_(None)).limit(bindparam("robots", type_=Integer)).subquery()
        self.open = compiled(select(func.count().label("jobs")).select_from(some))
        own = claimable.where(Job.robot_id == Robot.id).exists()
        self.assigned = compiled(select(Robot.id.label("robot_id")).where(one_of(Robot.id, "ids", dialect), own))
        now, job, jobs = bindparam("now", type_=UTCDateTime), _columns(Job), cast(Table, Job.__table__)
        process = [column.label(f"{OF_PROCESS}{column.key}") for column in _columns(Process)]
        of_jobs = select(*job, *process).join(Process)
        facts = (
            cast(Any, Robot).current_job_id.label("current_job_id"),
            ACCEPTING.label("accepting"),
            IDLE.label("idle"),
            select(Job.id).where(READY, Job.robot_id == Robot.id).exists().label("has_own"),
        )
        robots = select(*_columns(Robot), *facts).where(one_of(Robot.api_token_hash, "hashes", dialect, String))
        self.robots = compiled(robots)
        places = select(Process.id).where(one_of(Process.id, "ids", dialect))
        self.settings = compiled(settings.stored("jobs"))
        self.limited = compiled(select(Process.id).where(Process.max_running_jobs.is_not(None)).limit(1))
        self.places = compiled(places.order_by(Process.id).with_for_update(key_share=True))
        self.crowded = compiled(places.where(CROWDED))
        self.held = compiled(of_jobs.where(one_of(Job.id, "ids", dialect)).order_by(Job.id).with_for_update(of=Job))
        self.running = compiled(of_jobs.where(RUNNING, one_of(Job.robot_id, "ids", dialect)))
        self.take = compiled(_take())
        self.take_open = cache(lambda jobs: Together(_take_open(jobs), dialect))
        self.renew = compiled(_renew(now))
        self.deadline = updates(jobs, ("deadline_at",), dialect)
        self.finish = updates(jobs, ENDING, dialect)
        mine = (one_of(Robot.id, "ids", dialect), Robot.status == "online")
        seen = _locked(Robot, *mine).values(last_heartbeat=now, updated_at=now)
        self.seen = compiled(seen.returning(Robot.id))
        self.connected = compiled(
            _locked(Machine, one_of(Machine.id, "ids", dialect)).values(
                status="connected", last_seen_at=now, updated_at=now
            )
        )
        self.log = inserts(event_log.TABLE, LOGGED, dialect)


def _columns(model: Any) -> list[Any]:
    return list(model.__table__.c)


def _take() -> Any:
    taken = {name: bindparam(name, type_=type_) for name, type_ in TAKEN.items()}
    return leases.taking(Job, Job.id.in_(first_for(taken["robot_id"])), **taken, status=states.RUNNING)


def _take_open(jobs: int) -> Any:
    """As `_take`, for so many robots at once: those that have no job of their own, where no process has a limit.

    For PostgreSQL. The number is part of the text, else the plan would be one for a tenth of all jobs.
    """
    walk = select(Job.id, Job.rank).where(READY, OPEN).order_by(Job.rank, Job.id).limit(literal_column(str(jobs)))
    first = walk.with_for_update(skip_locked=True).cte("first")
    number = func.row_number().over(order_by=(first.c.rank, first.c.id)).label("number")
    numbered, robots = select(first.c.id, number).cte("numbered"), given({"number": Integer(), **TAKEN})
    taken = {name: robots.c[name] for name in TAKEN}
    theirs = (Job.id == numbered.c.id, numbered.c.number == robots.c.number)
    return leases.taking(Job, *theirs, **taken, status=states.RUNNING)


def _renew(now: Any) -> Any:
    mine = (RUNNING, Job.id == bindparam("id", type_=Integer), Job.robot_id == bindparam("robot", type_=Integer))
    until = bindparam("expires_at", type_=UTCDateTime)
    confirmed = func.coalesce(Job.confirmed_at, now)
    hash_ = bindparam("lease_hash", type_=String)
    return leases.renewing(Job, hash_, *mine, lease_expires_at=until, confirmed_at=confirmed).returning(Job.id)


def _locked(model: Any, *conditions: Any) -> Any:
    """An update of rows that are locked in the order of their ids."""
    table = model.__table__
    ids = select(model.id).where(*conditions).order_by(model.id).with_for_update(key_share=True).cte("locked")
    return update(table).where(table.c.id.in_(select(ids.c.id)))
