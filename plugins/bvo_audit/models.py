"""The audit log's table. Rows are added, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from bvo.database import Base, BigId, Json


class AuditEvent(Base):
    """One event. `actor_user_id` is no foreign key: the log outlives what it tells of."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_entity", "entity_type", "entity_id", "id"),
        Index("ix_audit_events_actor", "actor_username", "id"),
        Index("ix_audit_events_action_type", "action_type", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event_id: Mapped[str] = mapped_column(unique=True)
    timestamp: Mapped[datetime] = mapped_column(index=True)
    actor_kind: Mapped[str]
    actor_user_id: Mapped[int | None]
    actor_username: Mapped[str]
    ip_address: Mapped[str | None]
    user_agent: Mapped[str | None]
    action: Mapped[str] = mapped_column(index=True)
    action_type: Mapped[str]
    entity_type: Mapped[str]
    entity_display: Mapped[str]
    entity_id: Mapped[str]
    entity_name: Mapped[str]
    message: Mapped[str]
    before_data: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after_data: Mapped[dict[str, Any] | None] = mapped_column(Json)
    details: Mapped[dict[str, Any] | None] = mapped_column(Json)
