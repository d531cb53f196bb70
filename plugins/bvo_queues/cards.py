"""The dashboard's card about queues: how much waits in each of them, and for how long."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from bvo.database import db
from bvo_hookspecs import DashboardCard

from . import states
from .models import Queue, QueueItem

QUEUES, MOST = 10, 1_000


def depth() -> dict[str, Any]:
    """The first ten queues by name; items are counted up to MOST + 1."""
    queues = db.session.execute(select(Queue.id, Queue.name).order_by(Queue.name).limit(QUEUES + 1)).all()
    rows = [{"id": queue.id, "name": queue.name, **_items(queue.id)} for queue in queues[:QUEUES]]
    return {"rows": rows, "more": len(queues) > QUEUES, "most": MOST}


def _items(queue_id: int) -> dict[str, Any]:
    counts = {status: _count(queue_id, status) for status in (states.NEW, states.IN_PROGRESS, states.FAILED)}
    waiting = select(QueueItem.created_at).where(QueueItem.queue_id == queue_id, QueueItem.status == states.NEW)
    return {"counts": counts, "oldest": db.session.scalar(waiting.order_by(QueueItem.id).limit(1))}


def _count(queue_id: int, status: str) -> int:
    some = select(QueueItem.id).where(QueueItem.queue_id == queue_id, QueueItem.status == status).limit(MOST + 1)
    return db.session.scalar(select(func.count()).select_from(some.subquery())) or 0


CARD = DashboardCard(
    name="queue_depth",
    title="Queues",
    template="bvo_queues/depth_card.html",
    context=depth,
    permission="queue_items:view",
    order=25,
)
