"""Queues and their items."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bvo.database import Base, Json, Timestamps


class Queue(Base, Timestamps):
    """A named list of work items."""

    __tablename__ = "queues"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    max_retries: Mapped[int] = mapped_column(default=3)


class QueueItem(Base, Timestamps):
    """One piece of work. `locked_by_robot_id` and `job_id` say who works on it."""

    __tablename__ = "queue_items"
    __table_args__ = (
        Index("ix_queue_items_queue", "queue_id", "status", "id"),
        Index("ix_queue_items_status", "status", "id"),
        Index("ix_queue_items_reference", "queue_id", "reference"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queues.id"))
    reference: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="new")
    priority: Mapped[int] = mapped_column(default=0)
    payload: Mapped[Any | None] = mapped_column(Json)
    result: Mapped[Any | None] = mapped_column(Json)
    error_message: Mapped[str | None]
    retries: Mapped[int] = mapped_column(default=0)
    locked_by_robot_id: Mapped[int | None] = mapped_column(ForeignKey("robots.id"))
    locked_at: Mapped[datetime | None]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))

    @property
    def name(self) -> str:
        return self.reference or f"#{self.id}"
