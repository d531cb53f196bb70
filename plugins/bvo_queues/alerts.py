"""What alerts may watch of queues: that items wait longer than they should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy import Select, func, select

from bvo.database import db, utcnow
from bvo.entities import Reference
from bvo_hookspecs import AlertCondition, Finding

from .models import READY, Queue, QueueItem

MOST = 1_000
"""So many of a queue's items are looked at, those that were added first."""


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
    """The queues with an item that is new, deferred no more, and was not touched for longer.

    Where more than MOST items that were added before it were touched since, an item is found when they are.
    """
    limit = utcnow() - timedelta(minutes=parameters["longer_than_minutes"])
    ready = select(QueueItem.updated_at.label("since")).where(QueueItem.queue_id == Queue.id, READY)
    first = ready.order_by(QueueItem.id).limit(MOST).correlate(Queue).subquery()
    late = select(func.count()).select_from(first).where(first.c.since < limit).correlate(Queue).scalar_subquery()
    oldest = select(func.min(first.c.since)).correlate(Queue).scalar_subquery()
    queues: Select[Any] = select(Queue.id, Queue.name, late.label("late"), oldest.label("oldest"))
    if parameters["queue_id"] is not None:
        queues = queues.where(Queue.id == parameters["queue_id"])
    found = queues.subquery().c
    for queue in db.session.execute(select(*found).where(found.late > 0).order_by(found.id)):
        yield Finding(subject=f"queue/{queue.id}", name=queue.name, message=_words(queue))


def _words(queue: Any) -> str:
    count = f"{queue.late:,} or more items wait" if queue.late == MOST else f"{queue.late:,} items wait"
    count = "1 item waits" if queue.late == 1 else count
    return f'{count} too long in "{queue.name}", the first since {queue.oldest:%Y-%m-%d %H:%M} UTC.'


CONDITION = AlertCondition(
    name="queue_item_waiting",
    label="Queue item waiting",
    help="Items of a queue that could be claimed wait for longer than some minutes.",
    parameters=WaitingIn,
    find=waiting,
)
