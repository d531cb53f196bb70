"""Attempts that ended without a result, and what their robots reported afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bvo import tokens
from bvo.database import db, transaction, utcnow

from .models import Job, LostAttempt

LEASE_LOST, TIMEOUT, CANCELED, SETTLED, POISON = "lease_lost", "timeout", "canceled", "settled", "poison"
DECIDED = (CANCELED, SETTLED, TIMEOUT)
"""Ended by somebody who cancelled the job or settled it by hand, or by its time; else its robot was silent."""
POISONOUS, WITHIN = 3, timedelta(hours=72)
MAX_LATE_CHARACTERS = 20_000


def note(session: Session, job: Job, reason: str) -> None:
    """Keep what is known of the running attempt, which ends now for this reason."""
    session.add(
        LostAttempt(job_id=job.id, attempt=job.attempt, robot_id=job.robot_id, lease_hash=job.lease_hash, reason=reason)
    )


def is_poison(session: Session, job: Job) -> bool:
    """True where the job has lost its robot so often of late that it may well be the reason."""
    lately = (LostAttempt.reason == LEASE_LOST, LostAttempt.lost_at > utcnow() - WITHIN)
    count = session.scalar(select(func.count(LostAttempt.id)).where(LostAttempt.job_id == job.id, *lately))
    return (count or 0) >= POISONOUS


def lost(job_id: int, robot_id: int, lease_token: str | None) -> LostAttempt | None:
    """The attempt that this robot has lost; the latest one where it sends no lease."""
    query = select(LostAttempt).where(LostAttempt.job_id == job_id, LostAttempt.robot_id == robot_id)
    if lease_token:
        query = query.where(LostAttempt.lease_hash == tokens.digest(lease_token))
    return db.session.scalars(query.order_by(LostAttempt.id.desc()).limit(1)).one_or_none()


def keep_late(job_id: int, robot_id: int, lease_token: str | None, report: Mapping[str, Any]) -> None:
    """Keep a report that came too late beside the attempt; the first one, and without what is too long."""
    with transaction():
        attempt = lost(job_id, robot_id, lease_token)
        if attempt and attempt.late_at is None:
            attempt.late_report, attempt.late_at = _shortened(report), utcnow()


def of_job(job_id: int) -> list[LostAttempt]:
    """The attempts of a job that were lost, oldest first."""
    return list(db.session.scalars(select(LostAttempt).filter_by(job_id=job_id).order_by(LostAttempt.id).limit(200)))


def _shortened(report: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(report)
    for name in ("logs", "result"):
        if len(str(kept.get(name) or "")) > MAX_LATE_CHARACTERS:
            kept[name] = f"left out: more than {MAX_LATE_CHARACTERS} characters"
    return kept
