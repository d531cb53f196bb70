"""Webhooks in tests: what carries events and time forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import select, update

from bvo import delivery, registry
from bvo.database import db, transaction, utcnow
from bvo.event_log import Horizon
from bvo.observers import Observers
from bvo_webhooks import deliveries
from bvo_webhooks.models import PENDING, Webhook, WebhookDelivery
from bvo_webhooks.service import WebhookService
from support.api import Api

Hook = Callable[..., dict[str, Any]]


def machines(api: Api, *names: str) -> list[dict[str, Any]]:
    """New machines, each an event."""
    return [api.ok(api.post("/api/machines", {"name": name, "mode": "agent"})) for name in names]


class Mover:
    """Does what workers do, now, in this thread."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def plan(self) -> None:
        """What is in the log becomes deliveries."""
        with self.app.app_context():
            horizon, observers = Horizon(), Observers()
            while delivery.dispatch(observers, horizon):
                pass

    def send(self, most: int = 1000) -> int:
        """Everything that is due; returns how many requests that were."""
        with self.app.app_context():
            ids = db.session.scalars(select(Webhook.id).order_by(Webhook.id)).all()
        sent = 0
        for webhook_id in ids:
            sent += self._send_to(webhook_id, most - sent)
        return sent

    def _send_to(self, webhook_id: int, most: int) -> int:
        sent, done = 0, []
        while True:
            with self.app.app_context():
                requests = deliveries.turn(webhook_id, done, room=1 if sent < most else 0)
            if not requests:
                return sent
            done = [(request, deliveries.send(request)) for request in requests]
            sent += 1

    def go(self) -> int:
        self.plan()
        return self.send()

    def wait(self) -> None:
        """Time passes until everything that waits is due, and every endpoint may be tried again."""
        with self.app.app_context(), transaction() as session:
            waiting = update(WebhookDelivery).where(WebhookDelivery.status == PENDING)
            session.execute(waiting.values(available_at=utcnow()))
            session.execute(update(Webhook).values(paused_until=None))

    def all(self) -> list[WebhookDelivery]:
        with self.app.app_context():
            found = list(db.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))
            db.session.expunge_all()
            return found

    def change(self, webhook_id: int, **values: Any) -> None:
        with self.app.app_context(), transaction() as session:
            session.execute(update(Webhook).where(Webhook.id == webhook_id).values(**values))

    def webhook(self, webhook_id: int) -> Webhook:
        with self.app.app_context():
            found: Webhook = registry.current().service(WebhookService).get(webhook_id)
            db.session.expunge_all()
            return found
