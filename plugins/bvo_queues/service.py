"""Queues and their items as operators and producers see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask_smorest import abort
from marshmallow import Schema
from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, UnprocessableEntity

from bvo import access, events
from bvo.database import db, transaction, utcnow
from bvo.entities import Creates, Deletes, Service, Updates, refuse_when_creating

from . import states
from .models import Queue, QueueItem
from .schemas import QueueItemForm, QueueItemIn

SHOWN = 5
"""So many of the references that are taken are named."""
KIND_OF = {states.NEW: "requeued", states.IN_PROGRESS: "started"}
"""What a change of state is called, where it is not called as the state."""


class QueueService(Creates[Queue], Updates[Queue], Deletes[Queue]):
    """Create, change and delete; the database refuses to delete one that has items."""

    empty_template = "bvo_queues/queues_empty.html"


class QueueItemService(Deletes[QueueItem], Service[QueueItem]):
    """What operators and producers do with items; `processing` has what jobs do."""

    empty_template = "bvo_queues/queue_items_empty.html"

    def form_schema(self, row: QueueItem | None, given: Mapping[str, Any]) -> Schema:
        """An item stays in its queue."""
        return QueueItemForm() if row is None else QueueItemIn(exclude=("queue_id", "queue_name"))

    def create(self, data: Mapping[str, Any]) -> QueueItem:
        """Add an item, always as `new`. Raises UnprocessableEntity for an unknown queue, Conflict for a closed one."""
        refuse_when_creating(data, "status", "result", "error_message")
        with transaction() as session:
            queue = _queue(data.get("queue_id"), data.get("queue_name"))
            return self.add(session, queue, data)

    def add(self, session: Session, queue: Queue, data: Mapping[str, Any], **more: Any) -> QueueItem:
        """Add an item to this queue in the running transaction; `more` are columns. Raises Conflict."""
        _check_open(queue)
        _check_references(session, queue, [data.get("reference")])
        item = QueueItem(**_columns(queue, data), **more)
        session.add(item)
        session.flush()
        events.emit("created", self.entity, item)
        return item

    def create_many(self, data: Mapping[str, Any]) -> list[int]:
        """Add all of these items to one queue, or none; returns their ids in the same order.

        One event tells of all of them. Raises what `create` raises.
        """
        with transaction() as session:
            queue, items = _queue(data.get("queue_id"), data.get("queue_name")), data["items"]
            _check_open(queue)
            references = [item.get("reference") for item in items]
            if queue.unique_references:
                _refuse_repeated(references)
            _check_references(session, queue, references)
            made = insert(QueueItem).returning(QueueItem.id, sort_by_parameter_order=True)
            ids = list(session.scalars(made, [_columns(queue, item) for item in items]))
            _tell_of_many(queue, len(ids))
            return ids

    def update(self, row_id: int, data: Mapping[str, Any]) -> QueueItem:
        """Change an item, within what its state allows. Raises Conflict. Who held it by lease has lost it then."""
        with transaction() as session:
            item = self.get(row_id)
            session.refresh(item, with_for_update=True)  # what a job reports at the same time waits, or was first
            before = events.snapshot(self.entity, item)
            for name, value in _changes(session, item, data).items():
                setattr(item, name, value)
            if session.is_modified(item):
                moved = item.status != before["status"]
                session.flush()
                kind = KIND_OF.get(item.status, item.status) if moved else "updated"
                events.emit(kind, self.entity, item, before=before)
            return item

    def retry(self, row_id: int) -> QueueItem:
        """Try an item again that has failed or was abandoned, at once; a deadline that has passed holds no more."""
        with transaction() as session:
            item = self.get(row_id)
            session.refresh(item, with_for_update=True)
            if item.status not in (states.FAILED, states.ABANDONED):
                raise Conflict(
                    f"Item {item.id} is {item.status}. Only one that failed or was abandoned is tried again."
                )
            passed = item.deadline_at is not None and item.deadline_at <= utcnow()
            return self.update(row_id, {"status": states.NEW, **({"deadline_at": None} if passed else {})})


def let_go(item: QueueItem) -> None:
    """Nobody works on the item any more. `job_id` keeps who did last."""
    item.locked_at = item.locked_by_robot_id = item.lease_hash = item.lease_expires_at = item.claim_key = None


def _changes(session: Session, item: QueueItem, data: Mapping[str, Any]) -> dict[str, Any]:
    """The columns to set. Raises Conflict for what the item's state or its queue does not allow."""
    values = dict(data)
    given = values.pop("queue_id", None), values.pop("queue_name", None)
    if any(part is not None for part in given) and _queue(*given).id != item.queue_id:
        raise Conflict("An item can't move to another queue. Create it there, and delete it here.")
    if "defer_until" in values:
        values["available_at"], values["wait_seconds"] = _deferred(values.pop("defer_until")), None
    if values.get("reference", item.reference) != item.reference:
        queue = session.get_one(Queue, item.queue_id)
        _check_references(session, queue, [values["reference"]])
        values["unique_key"] = values["reference"] if queue.unique_references else None
    return {
        **values,
        **_consequences(item, values.get("status", item.status), values.get("deadline_at", item.deadline_at)),
    }


def _consequences(item: QueueItem, status: str, deadline: datetime | None) -> dict[str, Any]:
    """What a change of state by hand brings with it."""
    if status == item.status:
        return {}
    states.check(item.status, status, states.OPERATOR)
    if status in (states.NEW, states.IN_PROGRESS) and deadline and deadline <= utcnow():
        raise Conflict("Its deadline has passed. Send a later deadline_at along with the status, or null.")
    let_go(item)
    if status == states.IN_PROGRESS:
        return {"locked_at": utcnow(), "job_id": None, "job_attempt": None, "available_at": None}
    return {"retries": item.retries + 1} if status == states.NEW else {}


def _columns(queue: Queue, data: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a new item."""
    reference = data.get("reference")
    return {
        "queue_id": queue.id,
        "reference": reference,
        "unique_key": reference if queue.unique_references else None,
        "rank": -data.get("priority", 0),
        "payload": data.get("payload"),
        "available_at": _deferred(data.get("defer_until")),
        "deadline_at": data.get("deadline_at"),
    }


def _deferred(until: datetime | None) -> datetime | None:
    return until if until and until > utcnow() else None


def _check_open(queue: Queue) -> None:
    if not queue.is_active:
        raise Conflict(f"The queue {queue.name} is not active. Activate it first.")


def _refuse_repeated(references: Sequence[str | None]) -> None:
    """Refuse the request, and name each item whose reference another one in it has, too."""
    counts = Counter(reference for reference in references if reference is not None)
    repeated = [index for index, reference in enumerate(references) if reference is not None and counts[reference] > 1]
    if repeated:
        words = ["Another item of this request has it, too, and this queue takes each one once."]
        abort(422, messages={"json": {"items": {index: {"reference": words} for index in repeated}}})


def _check_references(session: Session, queue: Queue, references: Iterable[str | None]) -> None:
    """Raise Conflict where the queue takes each reference once, and has one of these. The index holds it for sure."""
    wanted = [reference for reference in references if reference is not None]
    if not queue.unique_references or not wanted:
        return
    query = select(QueueItem.reference).where(QueueItem.queue_id == queue.id, QueueItem.reference.in_(wanted))
    if taken := session.scalars(query.limit(SHOWN)).all():
        raise Conflict(
            f"The queue {queue.name} takes each reference once, and has {', '.join(map(repr, taken))} already."
        )


def _tell_of_many(queue: Queue, count: int) -> None:
    name = access.principal().name
    events.record(
        type="queue.items_added",
        entity_type="queue",
        entity_label="Queue",
        entity_id=str(queue.id),
        entity_name=queue.name,
        message=f'{name} added {count} items to the Queue "{queue.name}".',
        metadata={"count": count},
    )


def _queue(queue_id: int | None, name: str | None) -> Queue:
    if queue_id is None and name is None:
        raise UnprocessableEntity("Name the queue: send queue_id or queue_name.")
    query = select(Queue).where(Queue.id == queue_id if queue_id is not None else Queue.name == name)
    found = db.session.scalars(query).one_or_none()
    if found is None:
        raise UnprocessableEntity("Queue does not exist. Create it first.")
    return found
