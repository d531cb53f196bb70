"""What became of a job, step by step: who made it, each attempt, what was reported too late, how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bvo import trail
from bvo.database import db
from bvo_robots.models import Robot

from . import attempts, states
from .models import Job, LostAttempt

PEOPLE = ("user", "token", "sdk")
"""Kinds of actors that are named; a robot is named as a robot."""

WHY_LOST = {
    attempts.LEASE_LOST: "lost: its robot fell silent",
    attempts.TIMEOUT: "stopped: its time was over",
    attempts.CANCELED: "stopped by the cancel",
    attempts.SETTLED: "settled by hand while it ran",
    attempts.POISON: "lost: its robot fell silent once too often",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happened. `actor` is who did it, `robot` (id and name) where; `tone` is a state."""

    words: str
    at: datetime | None = None
    tone: str = ""
    actor: str = ""
    robot: Mapping[str, Any] | None = None
    late: Mapping[str, Any] | None = None
    late_at: datetime | None = None
    note: str = ""


def of(job: Job) -> list[Step]:
    """The steps in their order. Who made it and what came before this attempt is told as the audit log is readable."""
    events = trail.of("job", job.id)
    lost = attempts.of_job(job.id)
    past = [_created(job, events), *_started(job, events), *_lost(lost), *_other(events)]
    return [*sorted(past, key=lambda step: step.at or job.created_at), *_now(job, events)]


def _created(job: Job, events: Sequence[Any]) -> Step:
    return Step(words="Created", at=job.created_at, tone="new", actor=_actor(events, "job.create"))


def _started(job: Job, events: Sequence[Any]) -> Iterator[Step]:
    told = [event for event in events if event.action == "job.started"]
    for event in told:
        after = event.after_data or {}
        words = f"Attempt {after.get('attempt', '?')} started"
        yield Step(words=words, at=event.timestamp, tone="running", robot=after.get("robot"))
    if job.started_at and not told:
        robot = {"id": job.robot.id, "name": job.robot.name} if job.robot else None
        yield Step(words=f"Attempt {job.attempt} started", at=job.started_at, tone="running", robot=robot)


def _lost(lost: Sequence[LostAttempt]) -> Iterator[Step]:
    for attempt in lost:
        words = f"Attempt {attempt.attempt} {WHY_LOST.get(attempt.reason, 'ended without a result')}"
        robot = db.session.get(Robot, attempt.robot_id) if attempt.robot_id else None
        yield Step(
            words=words,
            at=attempt.lost_at,
            tone="lost" if attempt.reason not in attempts.DECIDED else "canceled",
            robot={"id": robot.id, "name": robot.name} if robot else None,
            late=attempt.late_report,
            late_at=attempt.late_at,
        )


def _other(events: Sequence[Any]) -> Iterator[Step]:
    words = {
        "job.update": "Changed before it ran",
        "job.released": "Given back: its robot had not begun",
        "job.requeued": "Waits for its next attempt",
        "job.stopped": "The script has stopped",
    }
    for event in events:
        if event.action in words:
            note = (event.after_data or {}).get("stop_report") if event.action == "job.stopped" else None
            actor = event.actor_username if event.actor_kind in PEOPLE else ""
            yield Step(words=words[event.action], at=event.timestamp, tone="new", actor=actor, note=note or "")


def _now(job: Job, events: Sequence[Any]) -> Iterator[Step]:
    """Where it stands: how it ended, or what it waits for."""
    if states.is_final(job.status):
        actor = job.canceled_by or _actor(events, f"job.{job.status}")
        yield Step(words=job.status.title(), at=job.finished_at, tone=job.status, actor=actor)
    elif job.status == states.PENDING:
        words = "Waits for its next attempt" if job.available_at else "Waits for a robot"
        yield Step(words=words, at=job.available_at, tone="pending")


def _actor(events: Sequence[Any], action: str) -> str:
    """The person (or program) that did it last; empty for robots and for what happens by itself."""
    found = [event.actor_username for event in events if event.action == action and event.actor_kind in PEOPLE]
    return str(found[-1]) if found else ""
