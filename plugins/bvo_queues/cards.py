"""The dashboard's card about queues: how much waits in each of them, and for how long."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, func, select

from bvo.database import db
from bvo_hookspecs import DashboardCard

from . import states
from .models import Queue, QueueItem

QUEUES, MOST = 10, 1_000
SHOWN = (states.NEW, states.IN_PROGRESS, states.FAILED)


def depth() -> dict[str, Any]:
    """The first ten queues by name; items are counted up to MOST + 1."""
    waiting = select(QueueItem.created_at).where(*_of_queue(states.NEW)).order_by(QueueItem.id).limit(1)
    columns = (*(_count(status).label(status) for status in SHOWN), waiting.scalar_subquery().label("oldest"))
    queues = select(Queue.id, Queue.name, *columns).order_by(Queue.name).limit(QUEUES + 1)
    found = db.session.execute(queues).mappings().all()
    rows = [{**queue, "counts": {status: queue[status] for status in SHOWN}} for queue in found[:QUEUES]]
    return {"rows": rows, "more": len(found) > QUEUES, "most": MOST}


def _count(status: str) -> ScalarSelect[int]:
    some = select(QueueItem.id).where(*_of_queue(status)).limit(MOST + 1).correlate(Queue).subquery()
    return select(func.count()).select_from(some).correlate(Queue).scalar_subquery()


def _of_queue(status: str) -> tuple[ColumnElement[bool], ...]:
    return QueueItem.queue_id == Queue.id, QueueItem.status == status


CARD = DashboardCard(
    name="queue_depth",
    title="Queues",
    template="bvo_queues/depth_card.html",
    context=depth,
    permission="queue_items:view",
    order=25,
)
