"""Queues and their items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from werkzeug.exceptions import Conflict, UnprocessableEntity

from bvo.database import db, transaction, utcnow
from bvo.entities import Creates, Deletes, Updates, refuse_when_creating

from . import states
from .models import Queue, QueueItem


class QueueService(Creates[Queue], Updates[Queue], Deletes[Queue]):
    """Create, change and delete; the database refuses to delete one that has items."""


class QueueItemService(Creates[QueueItem], Updates[QueueItem], Deletes[QueueItem]):
    """What operators and producers do with items."""

    def create(self, data: Mapping[str, Any]) -> QueueItem:
        """Add an item, always as `new`. Raises UnprocessableEntity for an unknown queue, Conflict for a closed one."""
        refuse_when_creating(data, "status", "result", "error_message")
        with transaction():
            values = dict(data)
            queue = _queue(values.pop("queue_id", None), values.pop("queue_name", None))
            if not queue.is_active:
                raise Conflict(f"The queue {queue.name} is not active. Activate it first.")
            return super().create({**values, "queue_id": queue.id})

    def update(self, row_id: int, data: Mapping[str, Any]) -> QueueItem:
        """Change an item, within what its state allows. Raises Conflict."""
        with transaction():
            item, values = self.get(row_id), dict(data)
            given = values.pop("queue_id", None), values.pop("queue_name", None)
            if any(part is not None for part in given) and _queue(*given).id != item.queue_id:
                raise Conflict("An item can't move to another queue. Create it there, and delete it here.")
            status = values.get("status", item.status)
            states.check(item.status, status)
            return super().update(row_id, {**values, **_consequences(item, status)})


def _consequences(item: QueueItem, status: str) -> dict[str, Any]:
    """What a change of state brings with it."""
    if status == item.status:
        return {}
    locked = (
        {"locked_at": utcnow()} if status == states.IN_PROGRESS else {"locked_at": None, "locked_by_robot_id": None}
    )
    retried = status == states.NEW
    return {**locked, "retries": item.retries + 1} if retried else locked


def _queue(queue_id: int | None, name: str | None) -> Queue:
    if queue_id is None and name is None:
        raise UnprocessableEntity("Name the queue: send queue_id or queue_name.")
    query = select(Queue).where(Queue.id == queue_id if queue_id is not None else Queue.name == name)
    found = db.session.scalars(query).one_or_none()
    if found is None:
        raise UnprocessableEntity("Queue does not exist. Create it first.")
    return found
