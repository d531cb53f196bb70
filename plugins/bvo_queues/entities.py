"""The entity types `queue` and `queue_item`."""

from __future__ import annotations

from marshmallow import fields, validate

from bvo.entities import equals, everything, flag, period, search
from bvo_hookspecs import Action, EntityType, EventType, NavItem

from . import states
from .models import ENDED, Queue, QueueItem
from .schemas import ID, QueueIn, QueueItemIn, QueueItemOut, QueueOut
from .service import QueueItemService, QueueService

QUEUE = EntityType(
    name="queue",
    plural="queues",
    label="Queue",
    model=Queue,
    read_schema=QueueOut,
    write_schema=QueueIn,
    service=QueueService,
    scope=everything,
    columns=("id", "name", "is_active", "max_retries", "updated_at"),
    filters=(search(Queue.name, Queue.description), flag("active_only", Queue.is_active)),
    principals={"list": ("user", "token", "sdk")},
    nav=NavItem(name="queues", label="Queues", order=60),
)
QUEUE_ITEM = EntityType(
    name="queue_item",
    plural="queue_items",
    label="Queue item",
    model=QueueItem,
    read_schema=QueueItemOut,
    write_schema=QueueItemIn,
    service=QueueItemService,
    scope=everything,
    columns=("id", "reference", "status", "queue_id", "priority", "retries", "available_at", "updated_at"),
    filters=(
        equals(QueueItem.queue_id, fields.Integer(validate=ID)),
        equals(QueueItem.status, fields.String(validate=validate.OneOf(states.STATES))),
        search(QueueItem.reference),
        equals(QueueItem.job_id, fields.Integer(validate=ID)),
        *period(QueueItem.updated_at, "ended", among=ENDED),
    ),
    actions=(Action(name="retry", label="Try again", applies=lambda item: item["status"] in ("failed", "abandoned")),),
    principals={"create": ("user", "token", "sdk")},
    nav=NavItem(name="queue_items", label="Queue items", order=61),
)

EVENT_TYPES = (
    *(
        EventType(name=f"queue_item.{kind}", help=words, schema=QueueItemOut, example={"status": status})
        for kind, status, words in (
            ("started", states.IN_PROGRESS, "A job has taken the item."),
            ("completed", states.COMPLETED, "The item was processed."),
            ("failed", states.FAILED, "The item failed for good. `failure_kind` and `error_code` say why."),
            ("abandoned", states.ABANDONED, "The item was given up, by hand or because its deadline has passed."),
            ("released", states.NEW, "The job gave the item back. It waits again, and was not tried."),
            ("requeued", states.NEW, "The item waits for another try, after a failure or by hand."),
        )
    ),
    EventType(
        name="queue.items_added",
        action_type="created",
        help="Several items were added to a queue at once. They have no events of their own.",
        metadata={"count": fields.Integer()},
    ),
)
