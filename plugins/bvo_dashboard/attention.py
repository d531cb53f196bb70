"""What needs a person now: each line is a number, and the list behind it. Lines without anything are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, func, not_, or_, select

from bvo import access
from bvo.database import db, utcnow
from bvo_hookspecs import DashboardCard
from bvo_jobs import hours, states
from bvo_jobs.eligibility import PENDING, RUNNING
from bvo_jobs.models import Job
from bvo_robots.models import Robot

LATE = timedelta(minutes=10)
"""A job that could run and was not claimed for so long is late."""
WAITING = "/ui/jobs/?status=pending&sort=id"
MOST = 1_000
"""Counted up to here: beyond it, a number says no more."""


@dataclass(frozen=True)
class Line:
    """`count` is MOST + 1 where there are more than MOST."""

    count: int
    one: str
    many: str
    url: str
    tone: str = "bad"

    @property
    def words(self) -> str:
        return self.one if self.count == 1 else self.many


def attention() -> dict[str, Any]:
    lines = [line for line in _lines() if line.count]
    return {"lines": lines, "most": MOST}


def _lines() -> Iterator[Line]:
    can = access.principal().can
    if can("jobs:view"):
        yield Line(_failed(), "job failed in 24 hours", "jobs failed in 24 hours", "/ui/jobs/?status=failed")
        late, stranded = _waiting()
        yield Line(late, "job waits too long", "jobs wait too long", WAITING, "wait")
        yield Line(
            stranded, "job waits without a robot", "jobs wait without a robot", "/ui/jobs/?status=pending&sort=id"
        )
        overdue = select(Job.id).where(RUNNING, Job.deadline_at < utcnow())
        yield Line(_count(overdue), "job runs past its time", "jobs run past their time", "/ui/jobs/?status=running")
    if can("robots:view"):
        offline = select(Robot.id).where(Robot.status == "offline", Robot.last_heartbeat.is_not(None))
        yield Line(_count(offline), "robot is offline", "robots are offline", "/ui/robots/?status=offline")
        draining = select(Robot.id).where(Robot.is_draining)
        yield Line(_count(draining), "robot is draining", "robots are draining", "/ui/robots/", "wait")


def _failed() -> int:
    since = utcnow() - timedelta(hours=23)
    return sum(counts[states.FAILED] for counts in hours.ended(since).values())


def _waiting() -> tuple[int, int]:
    """Of the jobs that wait longest: how many wait too long, and how many for a robot that is not there."""
    oldest = select(Job.id).where(PENDING, Job.available_at.is_(None)).order_by(Job.id).limit(MOST + 1).subquery()
    ready = and_(Robot.status == "online", Robot.is_draining.is_(False))
    anyone = db.session.scalar(select(Robot.id).where(ready).limit(1)) is not None
    stranded = not_(ready) if anyone else or_(Robot.id.is_(None), not_(ready))
    counts = (func.count().filter(Job.created_at < utcnow() - LATE), func.count().filter(stranded))
    waiting = select(*counts).select_from(Job).outerjoin(Robot, Robot.id == Job.robot_id)
    late, alone = db.session.execute(waiting.where(Job.id.in_(select(oldest.c.id)))).one()
    return late, alone


def _count(query: Select[Any]) -> int:
    return db.session.scalar(select(func.count()).select_from(query.limit(MOST + 1).subquery())) or 0


CARD = DashboardCard(
    name="attention",
    title="Needs attention",
    template="bvo_dashboard/attention_card.html",
    context=attention,
    permission="dashboard:view",
    order=0,
)
