"""What alerts may watch of queues: that items wait longer than they should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy import func, select

from bvo.database import db, utcnow
from bvo.entities import Reference
from bvo_hookspecs import AlertCondition, Finding

from .models import READY, Queue, QueueItem

MOST = 1_000
"""Counted up to here: beyond it, a number says no more."""


class WaitingIn(Schema):
    queue_id = Reference(
        "queue", allow_none=True, load_default=None, metadata={"description": "Left out: every queue, by itself"}
    )
    longer_than_minutes = fields.Integer(
        strict=True,
        load_default=60,
        validate=validate.Range(1, 60 * 24 * 365),
        metadata={"description": "Counted from when it could be claimed, or was changed last"},
    )


def waiting(parameters: Mapping[str, Any], since: datetime) -> Iterator[Finding]:
    """The queues with an item that is new, deferred no more, and was not touched for longer."""
    limit = utcnow() - timedelta(minutes=parameters["longer_than_minutes"])
    ready = (QueueItem.queue_id == Queue.id, READY)
    oldest = select(func.min(QueueItem.updated_at)).where(*ready).correlate(Queue).scalar_subquery()
    some = select(QueueItem.id).where(*ready, QueueItem.updated_at < limit).limit(MOST + 1).correlate(Queue).subquery()
    late = select(func.count()).select_from(some).correlate(Queue).scalar_subquery()
    queues = select(Queue.id, Queue.name, oldest.label("oldest"), late.label("late")).where(oldest < limit)
    if parameters["queue_id"] is not None:
        queues = queues.where(Queue.id == parameters["queue_id"])
    for queue in db.session.execute(queues.order_by(Queue.id)):
        yield Finding(subject=f"queue/{queue.id}", name=queue.name, message=_words(queue))


def _words(queue: Any) -> str:
    count = f"More than {MOST:,} items wait" if queue.late > MOST else f"{queue.late:,} items wait"
    count = "1 item waits" if queue.late == 1 else count
    return f'{count} too long in "{queue.name}", the first since {queue.oldest:%Y-%m-%d %H:%M} UTC.'


CONDITION = AlertCondition(
    name="queue_item_waiting",
    label="Queue item waiting",
    help="Items of a queue that could be claimed wait for longer than some minutes.",
    parameters=WaitingIn,
    find=waiting,
)
