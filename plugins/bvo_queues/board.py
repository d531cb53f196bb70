"""A queue at a glance: how many items are in which state, how long they wait, how fast they are worked off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select

from bvo.database import db, utcnow

from . import states
from .models import ENDED, QueueItem

MOST = 10_000
"""Items are counted up to here."""
HOURS = 24
MOST_ENDED = 100_000
"""So many of the items that ended are looked at for the throughput."""


@dataclass(frozen=True)
class Hour:
    """What ended within the hour that begins then."""

    since: datetime
    completed: int
    failed: int

    @property
    def until(self) -> datetime:
        return self.since + timedelta(hours=1)


def counts(queue_id: int) -> dict[str, int]:
    """Items by state, each counted up to MOST + 1, along the index of a queue's items."""
    found = {}
    for status in states.STATES:
        some = select(QueueItem.id).where(QueueItem.queue_id == queue_id, QueueItem.status == status).limit(MOST + 1)
        found[status] = db.session.scalar(select(func.count()).select_from(some.subquery())) or 0
    return found


def oldest(queue_id: int) -> datetime | None:
    """Since when the first of the new items waits."""
    waiting = (QueueItem.queue_id == queue_id, QueueItem.status == states.NEW)
    return db.session.scalar(select(QueueItem.created_at).where(*waiting).order_by(QueueItem.id).limit(1))


def throughput(queue_id: int) -> list[Hour]:
    """What ended in each of the last 24 hours, oldest first, along the index of what has ended; the last goes on."""
    latest = utcnow().replace(minute=0, second=0, microsecond=0)
    hours = [latest - timedelta(hours=back) for back in reversed(range(HOURS))]
    since = (QueueItem.queue_id == queue_id, ENDED, QueueItem.updated_at >= hours[0])
    ended = select(QueueItem.status, QueueItem.updated_at).where(*since).order_by(QueueItem.updated_at.desc())
    item = ended.limit(MOST_ENDED).subquery().c
    hour = case(*((item.updated_at >= hours[number], number) for number in range(HOURS - 1, 0, -1)), else_=0)
    rows: Sequence[Any] = db.session.execute(
        select(hour.label("hour"), item.status, func.count().label("items")).group_by("hour", item.status)
    ).all()
    found = {(row.hour, row.status): row.items for row in rows}
    return [
        Hour(since, found.get((number, states.COMPLETED), 0), found.get((number, states.FAILED), 0))
        for number, since in enumerate(hours)
    ]
