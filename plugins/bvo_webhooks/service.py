"""Changing webhooks, and sending once more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict

from bvo import events, registry
from bvo.database import db, transaction, utcnow
from bvo.entities import Creates, Deletes, Service, Updates
from bvo.events import MASK
from bvo_hookspecs import EntityType

from . import signing, subscriptions
from .models import FAILED, Webhook, WebhookDelivery

OLD_SECRET = timedelta(hours=24)
"""So long the secret before the current one signs, too: the receiver may change it in its own time."""


class WebhookService(Creates[Webhook], Updates[Webhook], Deletes[Webhook]):
    """Create, change, delete; a new secret, a test, and what has failed once more."""

    empty_template = "bvo_webhooks/webhooks_empty.html"
    created_template = "bvo_webhooks/webhook_created.html"

    def create(self, data: Mapping[str, Any]) -> Webhook:
        """The row carries `secret` this once; afterwards it is only known encrypted."""
        values, headers = _without_headers(data)
        plain = signing.new_secret()
        with transaction() as session:
            webhook = super().create({**values, "header_names": sorted(headers)})
            webhook.signing_secret = webhook.sealed("signing_secret", plain)
            webhook.header_value = webhook.sealed("header_value", json.dumps(headers))
            session.flush()
        webhook.secret = plain  # type: ignore[attr-defined]
        return webhook

    def update(self, row_id: int, data: Mapping[str, Any]) -> Webhook:
        """Change it. One that is active again begins anew, whatever it failed at before."""
        with transaction() as session:
            webhook = self._locked(session, row_id)
            values, headers = _without_headers(data)
            if "headers" in data:
                values |= _sealed(webhook, headers)
            if values.get("is_active") and not webhook.is_active:
                values |= {"failures": 0, "failing_since": None, "paused_until": None, "disabled_reason": None}
            return self.change(session, webhook, values)

    def rotate_secret(self, row_id: int) -> Webhook:
        """Give it a new secret, which the row carries this once. The one before signs for another day."""
        plain = signing.new_secret()
        with transaction() as session:
            webhook = self._locked(session, row_id)
            before = events.snapshot(self.entity, webhook)
            webhook.old_signing_secret = webhook.sealed("old_signing_secret", webhook.opened("signing_secret") or "")
            webhook.old_secret_until = utcnow() + OLD_SECRET
            webhook.signing_secret = webhook.sealed("signing_secret", plain)
            session.flush()
            events.emit("secret_rotated", self.entity, webhook, before=before)
        webhook.secret = plain  # type: ignore[attr-defined]
        return webhook

    def test(self, row_id: int) -> Webhook:
        """Send it the event `webhook.tested`, in the way of all others. Raises Conflict where it is not active."""
        with transaction() as session:
            webhook = self._tried_now(session, row_id)
            if not webhook.is_active:
                raise Conflict(
                    f"The webhook {webhook.name} is not active, so nothing is sent to it. Activate it first."
                )
            events.emit("tested", self.entity, webhook)
            return webhook

    def redeliver(self, row_id: int) -> Webhook:
        """Send everything once more that it has not taken."""
        with transaction() as session:
            webhook = self._tried_now(session, row_id)
            failed = (WebhookDelivery.webhook_id == row_id, WebhookDelivery.status == FAILED)
            _send_again(*failed)
            events.emit("redelivered", self.entity, webhook)
            return webhook

    def replay(self, row_id: int, since: datetime) -> Webhook:
        """Send everything once more that it wants and that happened since then."""
        with transaction() as session:
            webhook = self._tried_now(session, row_id)
            subscriptions.begin_replay(webhook, since)
            session.flush()
            events.emit("redelivered", self.entity, webhook, metadata={"since": since.isoformat()})
            return webhook

    def _locked(self, session: Session, row_id: int) -> Webhook:
        webhook = self.get(row_id)
        session.refresh(webhook, with_for_update=True)  # what is sent at the same time is settled before, or after
        return webhook

    def _tried_now(self, session: Session, row_id: int) -> Webhook:
        """The webhook, which is left alone no longer, whatever it has failed at: somebody wants to see."""
        webhook = self._locked(session, row_id)
        webhook.paused_until = None
        return webhook


class DeliveryService(Service[WebhookDelivery]):
    """Looking at what was sent, and sending it once more."""

    empty_template = "bvo_webhooks/webhook_deliveries_empty.html"

    def redeliver(self, row_id: int) -> WebhookDelivery:
        """Send it once more, whatever became of it. Raises Conflict where it is under way."""
        with transaction() as session:
            delivery = self.get(row_id)
            session.refresh(delivery, with_for_update={"of": WebhookDelivery})
            if delivery.lease_hash is not None:
                raise Conflict(f"Delivery {row_id} is being sent. Wait a moment.")
            for name, value in subscriptions.AGAIN.items():
                setattr(delivery, name, value)
            delivery.available_at = utcnow()
            delivery.webhook.paused_until = None
            told = {"delivery_id": row_id, "event_type": delivery.event_type}
            events.emit("redelivered", entity(), delivery.webhook, metadata=told)
            return delivery


def entity() -> EntityType:
    return registry.current().service(WebhookService).entity


def _send_again(*which: Any) -> None:
    again = update(WebhookDelivery).where(*which).values(**subscriptions.AGAIN, available_at=utcnow())
    db.session.execute(again.execution_options(synchronize_session=False))


def _without_headers(data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    values = dict(data)
    return values, values.pop("headers", None) or {}


def _sealed(webhook: Webhook, headers: Mapping[str, str]) -> dict[str, Any]:
    """The columns of these headers; one that is sent back masked keeps its value."""
    kept = webhook.header_values() if MASK in headers.values() else {}
    new = {name: kept.get(name, value) if value == MASK else value for name, value in headers.items()}
    return {"header_names": sorted(new), "header_value": webhook.sealed("header_value", json.dumps(new))}
