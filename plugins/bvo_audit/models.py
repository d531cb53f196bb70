"""The audit log's table. Rows are added, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from bvo.database import Base, BigId, Json

ORDER = ("timestamp", "id")
OF_USERS = text("actor_user_id IS NOT NULL")


class AuditEvent(Base):
    """One event. `actor_user_id` is no foreign key: the log outlives what it tells of.

    Each index has the order of the list, so that a filter, a range of time and the order come from one of them. Those
    of users and entity types also have what is mostly asked beside them, so that such events are found without a read
    of the rows, which lie far apart.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_time", *ORDER),
        Index("ix_audit_events_username", "actor_username", *ORDER, "action_type", "action", "entity_type"),
        Index(
            "ix_audit_events_user_id",
            *("actor_user_id", *ORDER, "action_type", "action", "entity_type"),
            postgresql_where=OF_USERS,
            sqlite_where=OF_USERS,
        ),
        Index("ix_audit_events_action", "action", *ORDER),
        Index("ix_audit_events_action_type", "action_type", *ORDER),
        Index("ix_audit_events_entity_type", "entity_type", *ORDER, "action_type", "action"),
        Index("ix_audit_events_entity_id", "entity_id", "entity_type", *ORDER),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event_id: Mapped[str] = mapped_column(unique=True)
    timestamp: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_user_id: Mapped[int | None]
    actor_username: Mapped[str]
    ip_address: Mapped[str | None]
    user_agent: Mapped[str | None]
    action: Mapped[str]
    action_type: Mapped[str]
    entity_type: Mapped[str]
    entity_display: Mapped[str]
    entity_id: Mapped[str]
    entity_name: Mapped[str]
    message: Mapped[str]
    before_data: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after_data: Mapped[dict[str, Any] | None] = mapped_column(Json)
    details: Mapped[dict[str, Any] | None] = mapped_column(Json)
