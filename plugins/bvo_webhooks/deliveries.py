"""Sending: what is due is claimed by lease, sent, and settled by what the endpoint answers.

What an endpoint did not take is sent again by SCHEDULE. The events of one row are sent in their order: those that
follow wait for one that is to be sent again. An endpoint that fails often in a row is left alone for a while, and
what waits for it keeps its attempts.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from bvo import event_log, events, leases, settings
from bvo.database import db, transaction, utcnow
from bvo.event_log import LoggedEvent
from bvo.secrets import Undecryptable
from bvo_events.service import address, as_told

from . import addresses, sending, signing, subscriptions
from .models import DELIVERED, FAILED, PENDING, Webhook, WebhookDelivery
from .service import entity

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SCHEDULE = (5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""How long after each attempt the next one follows: ten attempts in about 75 hours."""
JITTER = 0.1
LEASE = timedelta(seconds=60)
"""Longer than a request may take. So much later another worker sends what one had that was killed."""
PATIENCE = 5
"""After so many failures in a row an endpoint is left alone."""
FIRST_PAUSE_SECONDS = 30
GIVE_UP = timedelta(days=5)
"""An endpoint that has failed for so long is disabled."""
GONE = 410
BUSY = (429, 503)


@dataclass(frozen=True)
class _Request:
    """One request that is to be sent."""

    delivery_id: int
    token: str
    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class _Outcome:
    """What became of a request; `error` is empty where the endpoint took it."""

    error: str
    answer: sending.Answer | None = None

    @property
    def status(self) -> int | None:
        return self.answer.status if self.answer else None


def send_next(app: Flask, webhook_id: int) -> bool:
    """Send the first delivery of this webhook that is due; False where there is none, or none may be sent now."""
    with app.app_context():
        request = _claim(webhook_id)
        allowed = addresses.parse_networks(settings.get("security.webhook_allowed_networks"))
        db.session.rollback()
    if request is None:
        return False
    outcome = _send(request, allowed)
    with app.app_context():
        _settle(webhook_id, request, outcome)
    return True


def count_anew() -> None:
    """Count leases and waits from now on, after the wall clock has jumped. Twice is once."""
    with transaction() as session:
        changing = update(WebhookDelivery).execution_options(synchronize_session=False)
        leased = changing.where(WebhookDelivery.lease_hash.is_not(None))
        session.execute(leased.values(lease_expires_at=utcnow() + LEASE))
        waiting = changing.where(WebhookDelivery.status == PENDING, WebhookDelivery.lease_hash.is_(None))
        session.execute(waiting.values(available_at=utcnow()))
        session.execute(update(Webhook).values(paused_until=None).execution_options(synchronize_session=False))


def waiting() -> Sequence[tuple[int, int]]:
    """The webhooks that something is to be sent to now, with how many requests each takes at once."""
    due = select(WebhookDelivery.id).where(WebhookDelivery.webhook_id == Webhook.id, *_due())
    found = select(Webhook.id, Webhook.concurrency).where(*_open(), due.exists()).order_by(Webhook.id)
    return [(webhook_id, concurrency) for webhook_id, concurrency in db.session.execute(found)]


def _open() -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a webhook is sent anything."""
    return Webhook.is_active.is_(True), or_(Webhook.paused_until.is_(None), Webhook.paused_until <= utcnow())


def _due() -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a delivery is to be sent now: of each row that it may tell of, the first one."""
    free = or_(WebhookDelivery.lease_hash.is_(None), leases.expired(WebhookDelivery))
    earlier = aliased(WebhookDelivery)
    same = and_(earlier.webhook_id == WebhookDelivery.webhook_id, earlier.subject == WebhookDelivery.subject)
    before = select(earlier.id).where(same, earlier.status == PENDING, earlier.place < WebhookDelivery.place)
    return WebhookDelivery.status == PENDING, WebhookDelivery.available_at <= utcnow(), free, ~before.exists()


def _claim(webhook_id: int) -> _Request | None:
    """Take the first delivery that is due, as long as no more are under way than the endpoint takes at once."""
    with transaction() as session:
        found = select(Webhook).where(Webhook.id == webhook_id, *_open()).with_for_update()
        webhook = session.scalars(found.execution_options(populate_existing=True)).one_or_none()
        if webhook is None or _under_way(session, webhook_id) >= _at_once(webhook):
            return None
        mine = WebhookDelivery.webhook_id == webhook_id
        order = (WebhookDelivery.available_at, WebhookDelivery.id)
        lease = leases.claim(session, WebhookDelivery, mine, *_due(), ttl=LEASE, order_by=order)
        if not lease.ids:
            return None
        delivery = session.get_one(WebhookDelivery, lease.ids[0], populate_existing=True)
        return _request(session, webhook, delivery, lease.token)


def _under_way(session: Session, webhook_id: int) -> int:
    held = (WebhookDelivery.lease_hash.is_not(None), ~leases.expired(WebhookDelivery))
    return session.scalar(select(func.count()).where(WebhookDelivery.webhook_id == webhook_id, *held)) or 0


def _at_once(webhook: Webhook) -> int:
    """An endpoint that has failed often is tried with one request."""
    return 1 if webhook.failures >= PATIENCE else webhook.concurrency


def _request(session: Session, webhook: Webhook, delivery: WebhookDelivery, token: str) -> _Request | None:
    """The request; where it can't be made, the delivery has failed."""
    logged = event_log.read(LoggedEvent.id == delivery.place, limit=1)
    try:
        secrets = [webhook.opened(column) for column in _signing(webhook)]
        own = webhook.header_values()
    except Undecryptable as error:
        _end(delivery, f"{error}. Rotate the webhook's secret, and set its headers again.")
        return None
    if not logged:
        _end(delivery, "The event is not in the log any more: logging.audit_retention_days has passed.")
        return None
    body = json.dumps(as_told(logged[0], address()), ensure_ascii=False, separators=(",", ":")).encode()
    signed = signing.headers(delivery.event_id, utcnow(), body, [secret for secret in secrets if secret])
    headers = {**own, "Content-Type": "application/json", **signed}
    return _Request(delivery.id, token, webhook.url, body, headers)


def _signing(webhook: Webhook) -> tuple[str, ...]:
    """The columns of the secrets that hold now."""
    both = webhook.old_secret_until is not None and webhook.old_secret_until > utcnow()
    return ("signing_secret", "old_signing_secret") if both else ("signing_secret",)


def _end(delivery: WebhookDelivery, error: str) -> None:
    delivery.status, delivery.finished_at, delivery.error = FAILED, utcnow(), error
    delivery.lease_hash = delivery.lease_expires_at = None


def _send(request: _Request, allowed: Any) -> _Outcome:
    try:
        answer = sending.post(request.url, request.body, request.headers, allowed)
    except (sending.Refused, sending.Failed) as error:
        return _Outcome(str(error))
    taken = 200 <= answer.status < 300
    return _Outcome("" if taken else f"It answered {answer.status}.", answer)


def _settle(webhook_id: int, request: _Request, outcome: _Outcome) -> None:
    """Keep what became of the request, unless another worker has it by now."""
    with transaction() as session:
        webhook = session.get(Webhook, webhook_id, with_for_update=True, populate_existing=True)
        held = WebhookDelivery.id == request.delivery_id
        if webhook is None or not leases.renew(session, WebhookDelivery, request.token, LEASE, held):
            return
        delivery = session.get_one(WebhookDelivery, request.delivery_id, populate_existing=True)
        _note(delivery, outcome)
        if outcome.error:
            _failed(webhook, delivery, outcome)
        else:
            delivery.status, delivery.finished_at = DELIVERED, utcnow()
            webhook.failures, webhook.failing_since, webhook.paused_until = 0, None, None
        session.flush()
        if delivery.attempt > 1 or outcome.error:
            _move_following(session, delivery)


def _move_following(session: Session, delivery: WebhookDelivery) -> None:
    """What waits for this one is due when it is, or now that it has ended: so nobody looks at it before."""
    due = delivery.available_at if delivery.status == PENDING else utcnow()
    following = update(WebhookDelivery).where(*subscriptions.waiting(delivery.webhook_id, delivery.subject))
    following = following.where(WebhookDelivery.place > delivery.place).values(available_at=due)
    session.execute(following.execution_options(synchronize_session=False))


def _note(delivery: WebhookDelivery, outcome: _Outcome) -> None:
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


def _failed(webhook: Webhook, delivery: WebhookDelivery, outcome: _Outcome) -> None:
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


def _pause(webhook: Webhook, outcome: _Outcome, now: datetime) -> datetime | None:
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
