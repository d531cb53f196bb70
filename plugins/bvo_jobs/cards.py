"""The dashboard's cards about jobs: how they ended hour by hour, what robots worked on, and the latest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from flask import request
from sqlalchemy import select

from bvo.database import db, utcnow
from bvo_hookspecs import DashboardCard
from bvo_robots.models import Robot

from . import hours
from .models import Job

RANGES = {"24h": ("24 hours", 24, 1), "7d": ("7 days", 168, 2), "30d": ("30 days", 720, 12)}
"""What the chart can show: its name, how many hours, and how many of them are one bar."""
ROBOTS, JOBS_OF_A_ROBOT = 8, 200
SLOT = timedelta(minutes=10)
SLOTS = 144


def ended() -> dict[str, Any]:
    """Jobs by the hour in which they ended, and by how."""
    chosen = request.args.get("range", "")
    chosen = chosen if chosen in RANGES else "24h"
    title, count, width = RANGES[chosen]
    since = hours.hour_of(utcnow() - timedelta(hours=count - 1))
    counts = hours.ended(since)
    bars = list(_bars(counts, width))
    total = sum((bar["counts"] for bar in bars), Counter[str]())
    highest = max((bar["total"] for bar in bars), default=0)
    return {
        "bars": bars,
        "highest": highest,
        "total": total,
        "ends": hours.ENDS,
        "urls": {end: hours.url(since, status=end) for end in hours.ENDS},
        "title": title,
        "width": width,
        "ranges": [(name, words, name == chosen) for name, (words, _, _) in RANGES.items()],
    }


def _bars(counts: dict[datetime, Counter[str]], width: int) -> Iterator[dict[str, Any]]:
    known = sorted(counts)
    for start in range(0, len(known), width):
        part = known[start : start + width]
        added = sum((counts[hour] for hour in part), Counter[str]())
        begin, end = part[0], part[-1] + hours.HOUR
        urls = {status: hours.url(begin, end, status=status) for status in hours.ENDS if added[status]}
        yield {"since": begin, "counts": added, "total": sum(added.values()), "urls": urls}


def busy() -> dict[str, Any]:
    """When each robot worked, in the last 24 hours: the slots that are over, and the one that goes on."""
    now = utcnow()
    since = now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0) - SLOT * (SLOTS - 1)
    robots = db.session.execute(select(Robot.id, Robot.name).order_by(Robot.name).limit(ROBOTS + 1)).all()
    rows = [
        {
            "id": robot.id,
            "name": robot.name,
            "url": hours.url(since, robot_id=robot.id),
            **_worked(robot.id, since, now),
        }
        for robot in robots[:ROBOTS]
    ]
    return {"rows": rows, "more": len(robots) > ROBOTS, "slots": SLOTS}


def _worked(robot_id: int, since: datetime, until: datetime) -> dict[str, Any]:
    """The slots in which the robot worked, as runs, and its share of the time."""
    times = select(Job.started_at, Job.finished_at).where(Job.robot_id == robot_id, Job.started_at.is_not(None))
    found = db.session.execute(times.order_by(Job.id.desc()).limit(JOBS_OF_A_ROBOT))
    spans = [(max(start, since), min(end or until, until)) for start, end in found if start]
    spans = [(start, end) for start, end in spans if start < end]
    taken = {slot for start, end in spans for slot in range(int((start - since) / SLOT), int((end - since) / SLOT) + 1)}
    seconds = sum((end - start).total_seconds() for start, end in spans)
    share = min(1.0, seconds / (until - since).total_seconds())
    return {"runs": list(_runs(sorted(slot for slot in taken if slot < SLOTS))), "share": share}


def _runs(slots: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbours as one: where it begins, and its length."""
    begin, length = -1, 0
    for slot in slots:
        if begin >= 0 and slot == begin + length:
            length += 1
            continue
        if begin >= 0:
            yield begin, length
        begin, length = slot, 1
    if begin >= 0:
        yield begin, length


def latest() -> dict[str, Any]:
    """The jobs made last."""
    return {"jobs": db.session.scalars(select(Job).order_by(Job.id.desc()).limit(8)).unique().all()}


CARDS = (
    DashboardCard(
        name="jobs_ended",
        title="Jobs that ended",
        template="bvo_jobs/ended_card.html",
        context=ended,
        permission="jobs:view",
        order=10,
    ),
    DashboardCard(
        name="robots_busy",
        title="Robots at work, last 24 hours",
        template="bvo_jobs/busy_card.html",
        context=busy,
        permission="robots:view",
        order=15,
    ),
    DashboardCard(
        name="latest_jobs",
        title="Latest jobs",
        template="bvo_jobs/latest_card.html",
        context=latest,
        permission="jobs:view",
        order=30,
    ),
)
