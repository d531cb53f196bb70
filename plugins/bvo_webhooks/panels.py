"""The panels of a webhook and of a delivery."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from bvo import event_log, settings
from bvo.database import db
from bvo.entities import row_of
from bvo.event_log import LoggedEvent
from bvo_events.service import as_told
from bvo_hookspecs import DetailPanel

from .models import PENDING, STATES, Webhook, WebhookDelivery
from .outcomes import SCHEDULE

SHOWN = 20
MOST = 1000


def state_panel(webhook_id: int) -> dict[str, Any]:
    """How it goes: whether it is sent anything, and how many deliveries there are of each state, up to MOST."""
    webhook = db.session.get_one(Webhook, webhook_id)
    counts = {status: _count(webhook_id, status) for status in STATES}
    return {"webhook": webhook, "counts": counts, "most": MOST, "live": bool(counts[PENDING])}


def wanted_panel(webhook_id: int) -> dict[str, Any]:
    return {"webhook": db.session.get_one(Webhook, webhook_id)}


def latest_panel(webhook_id: int) -> dict[str, Any]:
    latest = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    found = db.session.scalars(latest.order_by(WebhookDelivery.id.desc()).limit(SHOWN + 1)).all()
    return {"webhook_id": webhook_id, "deliveries": found[:SHOWN], "more": len(found) > SHOWN, "live": True}


def replay_panel(webhook_id: int) -> dict[str, Any]:
    return {"webhook": db.session.get_one(Webhook, webhook_id)}


def attempts_panel(delivery_id: int) -> dict[str, Any]:
    delivery = db.session.get_one(WebhookDelivery, delivery_id)
    tried = [{**attempt, "at": datetime.fromisoformat(attempt["at"])} for attempt in delivery.attempts]
    told = {"delivery": delivery, "tried": tried[::-1], "most": len(SCHEDULE) + 1}
    return {**told, "about": row_of(delivery.subject), "live": delivery.status == PENDING}


def exchange_panel(delivery_id: int) -> dict[str, Any]:
    """What is sent, and what was answered last."""
    delivery = db.session.get_one(WebhookDelivery, delivery_id)
    logged = event_log.read(LoggedEvent.id == delivery.place, limit=1)
    return {"delivery": delivery, "body": as_told(logged[0], settings.public_url()) if logged else None}


def _count(webhook_id: int, status: str) -> int:
    some = select(WebhookDelivery.id).filter_by(webhook_id=webhook_id, status=status).limit(MOST)
    return len(db.session.scalars(some).all())


PANELS = (
    DetailPanel(
        name="webhook_state",
        entity_type="webhook",
        title="State",
        template="bvo_webhooks/state_panel.html",
        context=state_panel,
        order=10,
        covers=("is_active", "disabled_reason", "failing_since", "paused_until"),
    ),
    DetailPanel(
        name="webhook_wanted",
        entity_type="webhook",
        title="What is sent where",
        template="bvo_webhooks/wanted_panel.html",
        context=wanted_panel,
        order=15,
        covers=("url", "event_types", "filters", "headers", "concurrency", "old_secret_until"),
    ),
    DetailPanel(
        name="webhook_latest",
        entity_type="webhook",
        title="Latest deliveries",
        template="bvo_webhooks/latest_panel.html",
        context=latest_panel,
        order=20,
        permission="webhook_deliveries:view",
    ),
    DetailPanel(
        name="webhook_replay",
        entity_type="webhook",
        title="Send once more",
        template="bvo_webhooks/replay_panel.html",
        context=replay_panel,
        order=30,
        permission="webhooks:edit",
        refresh=False,
    ),
    DetailPanel(
        name="delivery_attempts",
        entity_type="webhook_delivery",
        title="Attempts",
        template="bvo_webhooks/attempts_panel.html",
        context=attempts_panel,
        order=10,
        covers=(
            *("attempt", "attempts", "available_at", "error", "milliseconds", "response_status"),
            *("webhook_id", "webhook", "event_type", "subject"),
        ),
    ),
    DetailPanel(
        name="delivery_exchange",
        entity_type="webhook_delivery",
        title="Request and answer",
        template="bvo_webhooks/exchange_panel.html",
        context=exchange_panel,
        order=20,
        covers=("response",),
    ),
)
