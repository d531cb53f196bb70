"""The panels of queues and items, and the items of a job."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bvo import trail
from bvo.database import db
from bvo_hookspecs import DetailPanel
from bvo_jobs.models import Job
from bvo_robots.models import Robot

from . import board, failures, states
from .models import Queue, QueueItem

SHOWN = 50
FAILURES = ("queue_item.requeued", "queue_item.failed", "queue_item.abandoned")
WORDS = {
    "queue_item.create": "Added",
    "queue_item.update": "Changed",
    "queue_item.started": "Taken",
    "queue_item.requeued": "To be tried again",
    "queue_item.released": "Given back",
}


def board_panel(queue_id: int) -> dict[str, Any]:
    found = board.counts(queue_id)
    return {
        "queue": db.session.get_one(Queue, queue_id),
        "counts": found,
        "most": board.MOST,
        "oldest": board.oldest(queue_id),
        "live": bool(found[states.IN_PROGRESS]),
    }


def throughput_panel(queue_id: int) -> dict[str, Any]:
    hours = board.throughput(queue_id)
    highest = max((hour.completed + hour.failed for hour in hours), default=0)
    return {"queue_id": queue_id, "hours": hours, "highest": highest, "hidden": not highest}


def failures_panel(queue_id: int) -> dict[str, Any]:
    found = failures.groups(queue_id)
    return {
        "queue_id": queue_id,
        "groups": found[:SHOWN],
        "looked_at": failures.LOOKED_AT,
        "at_once": failures.AT_ONCE,
        "capped": sum(len(group.ids) for group in found) == failures.LOOKED_AT,
        "hidden": not found,
    }


def item_panel(item_id: int) -> dict[str, Any]:
    item = db.session.get_one(QueueItem, item_id)
    return {
        "item": item,
        "queue": db.session.get_one(Queue, item.queue_id),
        "robot": db.session.get(Robot, item.locked_by_robot_id) if item.locked_by_robot_id else None,
        "job": db.session.get(Job, item.job_id) if item.job_id else None,
        "live": item.status == states.IN_PROGRESS,
    }


def payload_panel(item_id: int) -> dict[str, Any]:
    return {"item": db.session.get_one(QueueItem, item_id)}


def history_panel(item_id: int) -> dict[str, Any]:
    """What happened to it, as the audit log tells; not shown to those who may not read it."""
    steps = []
    for event in trail.of("queue_item", item_id):
        after = event.after_data or {}
        steps.append(
            {
                "words": WORDS.get(event.action, str(after.get("status") or event.action_type).title()),
                "tone": after.get("status", ""),
                "event": event,
                "job_id": after.get("job_id") if event.actor_kind == "robot" else None,
                "note": after.get("error_message") if event.action in FAILURES else None,
            }
        )
    return {"steps": steps, "hidden": not steps}


def job_items_panel(job_id: int) -> dict[str, Any]:
    """The items that a job works on, or was the last to work on."""
    mine = select(QueueItem).where(QueueItem.job_id == job_id).order_by(QueueItem.id.desc()).limit(SHOWN + 1)
    found = db.session.scalars(mine).all()
    return {"job_id": job_id, "items": found[:SHOWN], "more": len(found) > SHOWN, "hidden": not found}


def _panel(name: str, entity_type: str, title: str, context: Any, order: int, **more: Any) -> DetailPanel:
    template = f"bvo_queues/{name}_panel.html"
    return DetailPanel(
        name=name, entity_type=entity_type, title=title, template=template, context=context, order=order, **more
    )


PANELS = (
    _panel(
        "board", "queue", "Items", board_panel, 10, permission="queue_items:view", covers=("description", "is_active")
    ),
    _panel(
        "throughput",
        "queue",
        "The last 24 hours",
        throughput_panel,
        30,
        permission="queue_items:view",
        refresh=False,
    ),
    _panel("failures", "queue", "What went wrong", failures_panel, 20, permission="queue_items:view"),
    _panel(
        "item",
        "queue_item",
        "Where it stands",
        item_panel,
        10,
        covers=(
            *("queue_id", "priority", "attempt", "retries", "available_at", "deadline_at", "locked_by_robot_id"),
            *("locked_at", "job_id", "job_attempt", "failure_kind", "error_code", "error_message"),
        ),
    ),
    _panel("payload", "queue_item", "Payload and result", payload_panel, 20, covers=("payload", "result")),
    _panel("history", "queue_item", "History", history_panel, 30),
    _panel("job_items", "job", "Queue items", job_items_panel, 45, permission="queue_items:view"),
)
