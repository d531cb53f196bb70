"""Who is to be told what: each event in the log becomes a delivery for each webhook that wants it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from bvo import event_log
from bvo.database import db, transaction, utcnow
from bvo.event_log import LoggedEvent
from bvo_events.cloud_events import matches
from bvo_events.wanted import fits
from bvo_hookspecs import Event

from .models import PENDING, Webhook, WebhookDelivery

TESTED = "webhook.tested"
AGAIN: dict[str, Any] = {
    "status": PENDING,
    "attempt": 0,
    "finished_at": None,
    "lease_hash": None,
    "lease_expires_at": None,
}
"""What a delivery becomes that is sent once more."""
NEW: dict[str, Any] = {"status": PENDING, "attempt": 0, "attempts": []}
PLANNED = 100
"""Events whose deliveries are planned at once."""
REPLAYED = 500
"""Deliveries that are planned at once where a webhook wants to be told again."""
LOOK = 5_000


def accepts(event_type: str) -> bool:
    """Whether any webhook wants events of this type."""
    wanted = select(Webhook.event_types).where(Webhook.is_active)
    return event_type == TESTED or any(matches(types, event_type) for types in db.session.scalars(wanted))


def plan(events: Sequence[Event]) -> None:
    """Add a delivery for each event and active webhook that wants it; one that is there stays as it is."""
    active = select(Webhook).where(Webhook.is_active).order_by(Webhook.id)
    with transaction() as session:
        locked = session.scalars(active.with_for_update(read=True))  # what is settled meanwhile is settled before
        webhooks = locked.all()
        _add([(webhook, event) for event in events for webhook in webhooks if wants(webhook, event)], {})


def wants(webhook: Webhook, event: Event) -> bool:
    """Whether the webhook is told of this event. A test is for the webhook that is tested, whatever it wants."""
    if event.type == TESTED:
        return event.entity_id == str(webhook.id)
    return fits(webhook.event_types, webhook.filters, event)


def begin_replay(webhook: Webhook, since: datetime) -> None:
    """Let everything that the webhook wants be sent once more that happened since then. Runs in a transaction."""
    first = select(LoggedEvent.id).where(LoggedEvent.timestamp >= since).order_by(LoggedEvent.timestamp)
    some = first.limit(LOOK).subquery()  # those that were committed at the same time are in no order
    start = db.session.scalar(select(func.min(some.c.id)))
    if start is not None:
        webhook.replay_from, webhook.replay_to = start - 1, db.session.scalar(select(func.max(LoggedEvent.id)))


def replay() -> None:
    """Plan some of what is to be sent once more."""
    asked = select(Webhook).where(Webhook.replay_from.is_not(None)).limit(1)
    if db.session.scalars(asked).one_or_none() is None:  # mostly: nobody need wait for this to write nothing
        return
    with transaction() as session:
        webhook = session.scalars(
            asked.with_for_update(skip_locked=True).execution_options(populate_existing=True)
        ).one_or_none()
        if webhook is None or webhook.replay_from is None or webhook.replay_to is None:
            return
        wanted = partial(matches, webhook.event_types)
        stretch = event_log.follow(webhook.replay_from, webhook.replay_to, wanted, most=REPLAYED, look=LOOK)
        _add([(webhook, event) for event in stretch.events if wants(webhook, event)], AGAIN)
        done = stretch.end >= webhook.replay_to or not stretch.length
        webhook.replay_from = None if done else stretch.end


def waiting(webhook_id: Any, subject: Any) -> tuple[ColumnElement[bool], ...]:
    """The conditions of what is to be sent to this webhook about this row."""
    mine = (WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.subject == subject)
    return (*mine, WebhookDelivery.status == PENDING)


def _add(pairs: Sequence[tuple[Webhook, Event]], changes: dict[str, Any]) -> None:
    """Add these deliveries. Those that are there stay as they are, or get the `changes`."""
    if not pairs:
        return
    insert = (postgresql if db.engine.dialect.name == "postgresql" else sqlite).insert(WebhookDelivery)
    before = select(func.max(WebhookDelivery.available_at))  # a new one is due when what is before it is
    before = before.where(*waiting(bindparam("of_webhook"), bindparam("about")))
    now = utcnow()
    adding = insert.values(available_at=func.coalesce(before.scalar_subquery(), now), created_at=now, **NEW)
    key, new = ["webhook_id", "place"], {**changes, "available_at": adding.excluded.available_at}
    adding = (
        adding.on_conflict_do_update(index_elements=key, set_=new)
        if changes
        else adding.on_conflict_do_nothing(index_elements=key)
    )
    db.session.connection().execute(adding, [_row(webhook, event) for webhook, event in pairs])


def _row(webhook: Webhook, event: Event) -> dict[str, Any]:
    """What is particular to a delivery."""
    subject = f"{event.entity_type}/{event.entity_id}"
    return {
        "webhook_id": webhook.id,
        "place": event.place,
        "event_id": event.id,
        "event_type": event.type,
        "subject": subject,
        "of_webhook": webhook.id,
        "about": subject,
    }
