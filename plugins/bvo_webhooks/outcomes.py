"""What becomes of a delivery by the answer of its endpoint.

What an endpoint did not take is sent again by SCHEDULE. An endpoint that fails often in a row is left alone for a
while, and what waits for it keeps its attempts.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from bvo import events, leases
from bvo.database import db, utcnow

from . import sending, subscriptions
from .models import DELIVERED, FAILED, PENDING, Webhook, WebhookDelivery
from .service import entity

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SCHEDULE = (5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""How long after each attempt the next one follows: ten attempts in about 75 hours."""
JITTER = 0.1
PATIENCE = 5
"""After so many failures in a row an endpoint is left alone."""
FIRST_PAUSE_SECONDS = 30
GIVE_UP = timedelta(days=5)
"""An endpoint that has failed for so long is disabled."""
GONE = 410
BUSY = (429, 503)


@dataclass(frozen=True)
class Outcome:
    """What became of a request; `error` is empty where the endpoint took it."""

    error: str
    answer: sending.Answer | None = None

    @property
    def status(self) -> int | None:
        return self.answer.status if self.answer else None


def keep(session: Session, webhook: Webhook, delivery: WebhookDelivery, outcome: Outcome) -> None:
    """Keep what became of the delivery, with all that follows for it, for its webhook, and for what waits for it."""
    _note(delivery, outcome)
    if outcome.error:
        _failed(webhook, delivery, outcome)
    else:
        delivery.status, delivery.finished_at = DELIVERED, utcnow()
        webhook.failures, webhook.failing_since, webhook.paused_until = 0, None, None
    session.flush()
    if delivery.attempt > 1 or outcome.error:
        _move_following(session, delivery)


def end(delivery: WebhookDelivery, error: str) -> None:
    """Give it up: it can't be sent."""
    delivery.status, delivery.finished_at, delivery.error = FAILED, utcnow(), error
    delivery.lease_hash = delivery.lease_expires_at = None


def _move_following(session: Session, delivery: WebhookDelivery) -> None:
    """What waits for this one is due when it is, or now that it has ended: so nobody looks at it before."""
    due = delivery.available_at if delivery.status == PENDING else utcnow()
    following = update(WebhookDelivery).where(*subscriptions.waiting(delivery.webhook_id, delivery.subject))
    following = following.where(WebhookDelivery.place > delivery.place).values(available_at=due)
    session.execute(following.execution_options(synchronize_session=False))


def _note(delivery: WebhookDelivery, outcome: Outcome) -> None:
    answer = outcome.answer
    delivery.lease_hash = delivery.lease_expires_at = None
    delivery.response_status, delivery.error = outcome.status, outcome.error or None
    delivery.milliseconds = round(answer.milliseconds, 1) if answer else None
    delivery.response = {"headers": _kept(answer.headers), "body": answer.body} if answer else None
    tried = {"at": utcnow().isoformat(), "status": outcome.status, "error": outcome.error or None}
    delivery.attempts = [*delivery.attempts[-2 * len(SCHEDULE) :], {**tried, "milliseconds": delivery.milliseconds}]


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without cookies, which nobody is to see."""
    return {name: value for name, value in headers.items() if name != "set-cookie"}


def _failed(webhook: Webhook, delivery: WebhookDelivery, outcome: Outcome) -> None:
    now = utcnow()
    webhook.failures += 1
    webhook.failing_since = webhook.failing_since or now
    webhook.paused_until = _pause(webhook, outcome, now)
    if delivery.attempt > len(SCHEDULE) or outcome.status == GONE:
        delivery.status, delivery.finished_at = FAILED, now
    else:
        wait = SCHEDULE[delivery.attempt - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  spreads load
        delivery.available_at = now + wait
    if outcome.status == GONE:
        _disable(webhook, "It answered 410: it is gone.")
    elif webhook.failing_since <= now - GIVE_UP:
        _disable(webhook, f"It has taken nothing for {GIVE_UP.days} days. The last error: {outcome.error}")


def _pause(webhook: Webhook, outcome: Outcome, now: datetime) -> datetime | None:
    """Until when the endpoint is left alone: longer each time, or as long as it asks for."""
    if (
        outcome.answer
        and outcome.status in BUSY
        and (asked := outcome.answer.headers.get("retry-after", "")).isdecimal()
    ):
        return now + min(timedelta(seconds=int(asked[:6])), HOUR)
    if webhook.failures < PATIENCE:
        return None
    return now + leases.backoff(FIRST_PAUSE_SECONDS, webhook.failures - PATIENCE + 1)


def _disable(webhook: Webhook, reason: str) -> None:
    kind = entity()
    before = events.snapshot(kind, webhook)
    webhook.is_active, webhook.disabled_reason = False, reason
    db.session.flush()
    events.emit("disabled", kind, webhook, before=before)
