"""Webhooks, and what was or is to be sent to each."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bvo import secrets
from bvo.database import Base, BigId, Json, Timestamps
from bvo.events import MASK
from bvo.leases import Leased

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
STATES = (PENDING, DELIVERED, FAILED)
OPEN = text(f"status = '{PENDING}'")
LEASED = text("lease_hash IS NOT NULL")


class Webhook(Base, Timestamps):
    """An address that is told of events. Its secrets and the values of its headers are encrypted.

    `failures` are those in a row, since `failing_since`; after some of them it is left alone until `paused_until`.
    What happened between the places `replay_from` and `replay_to` of the log is to be sent once more.
    """

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    url: Mapped[str]
    event_types: Mapped[list[str]]
    filters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    header_names: Mapped[list[str]] = mapped_column(default=list)
    header_value: Mapped[str | None]
    signing_secret: Mapped[str | None]
    old_signing_secret: Mapped[str | None]
    old_secret_until: Mapped[datetime | None]
    concurrency: Mapped[int] = mapped_column(default=4)
    is_active: Mapped[bool] = mapped_column(default=True)
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    replay_from: Mapped[int | None] = mapped_column(BigId)
    replay_to: Mapped[int | None] = mapped_column(BigId)

    @property
    def headers(self) -> dict[str, str]:
        """The names of its headers; their values are not shown."""
        return dict.fromkeys(self.header_names, MASK)

    def sealed(self, column: str, plain: str) -> str:
        """The encrypted text, for this column of this row."""
        return secrets.current().encrypt(plain, secrets.place(self, column))

    def opened(self, column: str) -> str | None:
        """What the column holds. Raises bvo.secrets.Undecryptable."""
        stored = getattr(self, column)
        return None if stored is None else secrets.current().decrypt(stored, secrets.place(self, column))

    def header_values(self) -> dict[str, str]:
        """Its headers, as they are sent. Raises bvo.secrets.Undecryptable."""
        return dict(json.loads(self.opened("header_value") or "{}"))


class WebhookDelivery(Base, Leased):
    """That an event is sent to a webhook. `place` is the event's in the log; `attempts` tells of each try."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("webhook_id", "place"),
        Index(
            "ix_webhook_deliveries_due", "webhook_id", "available_at", "id", postgresql_where=OPEN, sqlite_where=OPEN
        ),
        Index("ix_webhook_deliveries_leased", "webhook_id", postgresql_where=LEASED, sqlite_where=LEASED),
        Index(
            "ix_webhook_deliveries_subject", "webhook_id", "subject", "place", postgresql_where=OPEN, sqlite_where=OPEN
        ),
        Index("ix_webhook_deliveries_webhook", "webhook_id", "id"),
        Index("ix_webhook_deliveries_webhook_status", "webhook_id", "status", "id"),
        Index("ix_webhook_deliveries_status", "status", "id"),
        Index("ix_webhook_deliveries_event_type", "event_type", "id"),
        Index("ix_webhook_deliveries_finished_at", "finished_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey(Webhook.id, ondelete="CASCADE"))
    place: Mapped[int] = mapped_column(BigId)
    event_id: Mapped[str]
    event_type: Mapped[str]
    subject: Mapped[str]
    status: Mapped[str] = mapped_column(default=PENDING)
    created_at: Mapped[datetime]
    available_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    response_status: Mapped[int | None]
    response: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    milliseconds: Mapped[float | None]
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)

    webhook: Mapped[Webhook] = relationship(lazy="joined", innerjoin=True)

    @property
    def name(self) -> str:
        return f"{self.event_type} #{self.id}"
