"""What needs a person now: each line is a number, and the list behind it. Lines without anything are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, select

from bvo import access
from bvo.database import db, utcnow
from bvo_hookspecs import DashboardCard
from bvo_jobs import hours, states, troubles
from bvo_robots.models import Robot

MOST = troubles.MOST


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
        yield _failed()
        yield _trouble("late", "job waits too long", "jobs wait too long", "wait")
        yield _trouble("stranded", "job waits without a robot", "jobs wait without a robot")
        yield _trouble("overdue", "job runs past its time", "jobs run past their time")
    if can("robots:view"):
        silent = select(Robot.id).where(Robot.status == "offline", Robot.last_heartbeat.is_not(None))
        address = "/ui/robots/?status=offline&seen_only=true"
        yield Line(_count(silent), "robot fell silent", "robots fell silent", address)
        draining = select(Robot.id).where(Robot.is_draining)
        yield Line(
            _count(draining), "robot is draining", "robots are draining", "/ui/robots/?draining_only=true", "wait"
        )


def _failed() -> Line:
    since = hours.hour_of(utcnow() - timedelta(hours=23))
    count = sum(counts[states.FAILED] for counts in hours.ended(since).values())
    return Line(count, "job failed in 24 hours", "jobs failed in 24 hours", hours.url(since, status=states.FAILED))


def _trouble(name: str, one: str, many: str, tone: str = "bad") -> Line:
    """Those that wait longest come first."""
    return Line(troubles.count(name), one, many, f"/ui/jobs/?trouble={name}&sort=id", tone)


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
