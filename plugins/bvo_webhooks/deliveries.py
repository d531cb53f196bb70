"""Sending: what is due is claimed by lease, sent, and settled by what the endpoint answers.

The events of one row are sent in their order: those that follow wait for one that is to be sent again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from bvo import event_log, leases, settings, tokens
from bvo.database import db, transaction, utcnow
from bvo.event_log import LoggedEvent
from bvo.secrets import Undecryptable
from bvo_events.service import as_told

from . import addresses, outcomes, sending, signing
from .models import PENDING, Webhook, WebhookDelivery
from .outcomes import Outcome

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""Longer than a request may take. So much later another worker sends what one had that was killed."""
LOOK = 1000
"""Of so many deliveries that are due, those are sent that are the first of their row."""


@dataclass(frozen=True)
class Request:
    """One request that is to be sent."""

    delivery_id: int
    token: str
    url: str
    body: bytes
    headers: dict[str, str]
    allowed: Sequence[addresses.Network]


def turn(webhook_id: int, done: Sequence[tuple[Request, Outcome]], room: int) -> list[Request]:
    """Keep what became of these requests, and take up to `room` others that are due: one transaction for all."""
    with transaction() as session:
        webhook = session.get(Webhook, webhook_id, with_for_update=True, populate_existing=True)
        if webhook is None:
            return []
        _settle(session, webhook, done)
        return _claim(session, webhook, room)


def send(request: Request) -> Outcome:
    """Send it; outside of transactions. Raises nothing."""
    try:
        answer = sending.post(request.url, request.body, request.headers, request.allowed)
    except (sending.Refused, sending.Failed) as error:
        return Outcome(str(error))
    except Exception as error:
        log.exception("The delivery %d could not be sent", request.delivery_id)
        return Outcome(f"This server failed to send it ({type(error).__name__}). Look into its log.")
    taken = 200 <= answer.status < 300
    return Outcome("" if taken else f"It answered {answer.status}.", answer)


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


def _is_open(webhook: Webhook) -> bool:
    return webhook.is_active and (webhook.paused_until is None or webhook.paused_until <= utcnow())


def _due() -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a delivery is to be sent now, unless it is behind another one of its row."""
    free = or_(WebhookDelivery.lease_hash.is_(None), leases.expired(WebhookDelivery))
    return WebhookDelivery.status == PENDING, WebhookDelivery.available_at <= utcnow(), free


def _settle(session: Session, webhook: Webhook, done: Sequence[tuple[Request, Outcome]]) -> None:
    """Keep what became of each, unless another worker has it by now."""
    wanted = select(WebhookDelivery).where(WebhookDelivery.id.in_([request.delivery_id for request, _ in done]))
    locked = wanted.with_for_update(of=WebhookDelivery).execution_options(populate_existing=True)
    found = {delivery.id: delivery for delivery in session.scalars(locked)} if done else {}
    for request, outcome in done:
        delivery = found.get(request.delivery_id)
        if delivery is not None and delivery.lease_hash == tokens.digest(request.token):
            outcomes.keep(session, webhook, delivery, outcome)


def _claim(session: Session, webhook: Webhook, room: int) -> list[Request]:
    """Take what is due, as long as no more are under way than the endpoint takes at once."""
    room = min(room, _at_once(webhook) - _under_way(session, webhook.id))
    if room <= 0 or not _is_open(webhook):
        return []
    ids = session.scalars(_first_due(webhook.id).limit(room)).all()
    if not ids:
        return []
    lease = leases.take(session, WebhookDelivery, ids, ttl=LEASE)  # nobody else can: the webhook's row is locked
    claimed = select(WebhookDelivery).where(WebhookDelivery.id.in_(lease.ids)).order_by(WebhookDelivery.id)
    found = session.scalars(claimed.execution_options(populate_existing=True)).all()
    return _requests(webhook, found, lease.token)


def _first_due(webhook_id: int) -> Select[int]:
    """The ids of what is due, but what another one of its row is ahead of."""
    order = (WebhookDelivery.available_at, WebhookDelivery.id)
    due = select(*order, WebhookDelivery.subject, WebhookDelivery.place).order_by(*order).limit(LOOK)
    each, other = due.where(WebhookDelivery.webhook_id == webhook_id, *_due()).subquery("due"), aliased(WebhookDelivery)
    of_row = (other.webhook_id == webhook_id, other.subject == each.c.subject, other.status == PENDING)
    first = select(func.min(other.place)).where(*of_row).scalar_subquery()
    return select(each.c.id).where(each.c.place == first).order_by(each.c.available_at, each.c.id)


def _under_way(session: Session, webhook_id: int) -> int:
    held = (WebhookDelivery.lease_hash.is_not(None), ~leases.expired(WebhookDelivery))
    return session.scalar(select(func.count()).where(WebhookDelivery.webhook_id == webhook_id, *held)) or 0


def _at_once(webhook: Webhook) -> int:
    """An endpoint that has failed often is tried with one request."""
    return 1 if webhook.failures >= outcomes.PATIENCE else webhook.concurrency


def _requests(webhook: Webhook, claimed: Sequence[WebhookDelivery], token: str) -> list[Request]:
    """The requests. A delivery whose request can't be made has failed."""
    try:
        secrets = [secret for column in _signing(webhook) if (secret := webhook.opened(column))]
        own = webhook.header_values()
    except Undecryptable as error:
        for delivery in claimed:
            outcomes.end(delivery, f"{error}. Rotate the webhook's secret, and set its headers again.")
        return []
    allowed = addresses.parse_networks(settings.get("security.webhook_allowed_networks"))
    places = [delivery.place for delivery in claimed]
    logged = {event.place: event for event in event_log.read(LoggedEvent.id.in_(places), limit=len(places))}
    requests, source = [], settings.public_url()
    for delivery in claimed:
        event = logged.get(delivery.place)
        if event is None:
            outcomes.end(delivery, "The event is not in the log any more: logging.audit_retention_days has passed.")
            continue
        body = json.dumps(as_told(event, source), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            **own,
            "Content-Type": "application/json",
            **signing.headers(delivery.event_id, utcnow(), body, secrets),
        }
        requests.append(Request(delivery.id, token, webhook.url, body, headers, allowed))
    return requests


def _signing(webhook: Webhook) -> tuple[str, ...]:
    """The columns of the secrets that hold now."""
    both = webhook.old_secret_until is not None and webhook.old_secret_until > utcnow()
    return ("signing_secret", "old_signing_secret") if both else ("signing_secret",)
