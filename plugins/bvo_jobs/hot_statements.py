"""The statements of `hot`, compiled once: the same expressions that everything else uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Dialect, Integer, String, Table, bindparam, func, select, update

from bvo import events, leases
from bvo.database import UTCDateTime
from bvo.statements import Insert, Statement, one_of
from bvo_hookspecs import AuditSink, Principal
from bvo_machines.models import Machine
from bvo_processes.models import Process
from bvo_robots.models import Robot

from . import states
from .eligibility import ACCEPTING, CROWDED, HAS_PLACE, IDLE, READY, RUNNING, first_for
from .models import Job
from .outcomes import ENDING

OF_PROCESS = "of_process_"
"""What the columns of a job's process begin with, beside those of the job."""
_EXAMPLE = events.compose(
    Principal(kind="system", id=None, name=""),
    **dict.fromkeys(
        ("type", "action", "action_type", "entity_type", "entity_label", "entity_id", "entity_name", "message"), ""
    ),
)


class Statements:
    """The statements of the hot actions for one kind of database."""

    def __init__(self, dialect: Dialect, sinks: Sequence[AuditSink]) -> None:
        def compiled(statement: Any) -> Statement:
            return Statement(statement, dialect)

        claimable = select(Job.id).where(READY, HAS_PLACE)
        some = claimable.where(Job.robot_id.is_(None)).limit(bindparam("robots", type_=Integer)).subquery()
        self.open = compiled(select(func.count().label("jobs")).select_from(some))
        own = claimable.where(Job.robot_id == Robot.id).exists()
        self.assigned = compiled(select(Robot.id.label("robot_id")).where(one_of(Robot.id, "ids", dialect), own))
        now, job = bindparam("now", type_=UTCDateTime), _columns(Job)
        process = [column.label(f"{OF_PROCESS}{column.key}") for column in _columns(Process)]
        of_jobs = select(*job, *process).join(Process).where(one_of(Job.id, "ids", dialect)).order_by(Job.id)
        facts = (
            cast(Any, Robot).current_job_id.label("current_job_id"),
            ACCEPTING.label("accepting"),
            IDLE.label("idle"),
        )
        robots = select(*_columns(Robot), *facts).where(one_of(Robot.api_token_hash, "hashes", dialect, String))
        self.robots = compiled(robots)
        places = select(Process.id).where(one_of(Process.id, "ids", dialect))
        self.places = compiled(places.order_by(Process.id).with_for_update(key_share=True))
        self.crowded = compiled(places.where(CROWDED))
        self.jobs, self.held = compiled(of_jobs), compiled(of_jobs.with_for_update(of=Job))
        self.take = compiled(_take(now))
        self.renew = compiled(_renew(now))
        self.deadline = compiled(_of_job("id", deadline_at=bindparam("deadline", type_=UTCDateTime)))
        self.finish = compiled(
            _of_job("job", **{name: bindparam(name, type_=Job.__table__.c[name].type) for name in ENDING})
        )
        mine = (one_of(Robot.id, "ids", dialect), Robot.status == "online")
        seen = _locked(Robot, *mine).values(last_heartbeat=now, updated_at=now)
        self.seen = compiled(seen.returning(Robot.id))
        self.connected = compiled(
            _locked(Machine, one_of(Machine.id, "ids", dialect)).values(
                status="connected", last_seen_at=now, updated_at=now
            )
        )
        self.inserts = {
            table.name: Insert(table, list(values), dialect) for table, values in events.rows(_EXAMPLE, sinks)
        }


def _columns(model: Any) -> list[Any]:
    return list(model.__table__.c)


def _take(now: Any) -> Any:
    robot = bindparam("robot", type_=Integer)
    return leases.taking(
        Job,
        first_for(robot),
        lease_hash=bindparam("hash", type_=String),
        lease_expires_at=bindparam("expires_at", type_=UTCDateTime),
        status=states.RUNNING,
        robot_id=robot,
        started_at=now,
        confirmed_at=bindparam("confirmed_at", type_=UTCDateTime),
        claim_key=bindparam("claim_key", type_=String),
    )


def _renew(now: Any) -> Any:
    mine = (RUNNING, Job.id == bindparam("id", type_=Integer), Job.robot_id == bindparam("robot", type_=Integer))
    until = bindparam("expires_at", type_=UTCDateTime)
    confirmed = func.coalesce(Job.confirmed_at, now)
    hash_ = bindparam("lease_hash", type_=String)
    return leases.renewing(Job, hash_, *mine, lease_expires_at=until, confirmed_at=confirmed).returning(Job.id)


def _of_job(name: str, **values: Any) -> Any:
    table = cast(Table, Job.__table__)
    return update(table).where(table.c.id == bindparam(name, type_=Integer)).values(**values)


def _locked(model: Any, *conditions: Any) -> Any:
    """An update of rows that are locked in the order of their ids."""
    table = model.__table__
    ids = select(model.id).where(*conditions).order_by(model.id).with_for_update(key_share=True).cte("locked")
    return update(table).where(table.c.id.in_(select(ids.c.id)))
