"""Queues and their items."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, and_, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from bvo.database import Base, Json, Timestamps
from bvo.leases import Leased


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


OPEN_STATES = "status IN ('new', 'in_progress')"
ENDED_STATES = "(status NOT IN ('new', 'in_progress'))"
"""Says what is not, so that no database reads all of them by their states instead."""


class Queue(Base, Timestamps):
    """A named list of work items. One that is not active takes nothing new; what it has is worked off."""

    __tablename__ = "queues"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    max_retries: Mapped[int] = mapped_column(default=2)
    retry_delay_seconds: Mapped[int] = mapped_column(default=60)
    lease_seconds: Mapped[int] = mapped_column(default=300)
    unique_references: Mapped[bool] = mapped_column(default=False)


class QueueItem(Base, Timestamps, Leased):
    """One piece of work. `locked_by_robot_id` says who works on it, `job_id` and `job_attempt` for which job.

    `rank` is the negated priority: a claim walks its index upwards. `available_at` is null as soon as the item may be
    claimed; `wait_seconds` says how long it is to wait after a failure. `unique_key` is the reference where the queue
    wants each one once, `added_key` the digest of the Idempotency-Key under which a job added the item. One that a
    person set in progress has no lease.
    """

    __tablename__ = "queue_items"
    __table_args__ = (
        _partial("ix_queue_items_ready", "queue_id", "rank", "id", where="status = 'new' AND available_at IS NULL"),
        _partial("ix_queue_items_since", "queue_id", "updated_at", where="status = 'new' AND available_at IS NULL"),
        _partial("ix_queue_items_waiting", "available_at", where="status = 'new' AND available_at IS NOT NULL"),
        _partial("ix_queue_items_job", "job_id", where="status = 'in_progress'"),
        _partial("ix_queue_items_deadline", "deadline_at", where=f"{OPEN_STATES} AND deadline_at IS NOT NULL"),
        _partial("uq_queue_items_unique_key", "queue_id", "unique_key", where="unique_key IS NOT NULL", unique=True),
        _partial("uq_queue_items_added_key", "added_key", where="added_key IS NOT NULL", unique=True),
        _partial("ix_queue_items_of_job", "job_id", "id", where="job_id IS NOT NULL"),
        _partial("ix_queue_items_ended", "queue_id", "updated_at", "status", where=ENDED_STATES),
        _partial("ix_queue_items_ended_at", "updated_at", "status", where=ENDED_STATES),
        Index("ix_queue_items_queue", "queue_id", "status", "id"),
        Index("ix_queue_items_status", "status", "id"),
        Index("ix_queue_items_newest", "queue_id", "id"),
        Index("ix_queue_items_name", "reference", "id"),
        Index("ix_queue_items_reference", "queue_id", "reference"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    queue_id: Mapped[int] = mapped_column(ForeignKey("queues.id"))
    reference: Mapped[str | None]
    unique_key: Mapped[str | None]
    added_key: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="new")
    rank: Mapped[int] = mapped_column(default=0)
    available_at: Mapped[datetime | None]
    wait_seconds: Mapped[int | None]
    deadline_at: Mapped[datetime | None]
    payload: Mapped[Any | None] = mapped_column(Json)
    result: Mapped[Any | None] = mapped_column(Json)
    result_fingerprint: Mapped[str | None]
    failure_kind: Mapped[str | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    retries: Mapped[int] = mapped_column(default=0)
    locked_by_robot_id: Mapped[int | None] = mapped_column(ForeignKey("robots.id"))
    locked_at: Mapped[datetime | None]
    claim_key: Mapped[str | None]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    job_attempt: Mapped[int | None]

    @property
    def name(self) -> str:
        return self.reference or f"#{self.id}"

    @property
    def defer_until(self) -> datetime | None:
        """What a client sends for `available_at`."""
        return self.available_at

    @property
    def priority(self) -> int:
        """Higher comes first."""
        return -self.rank

    @priority.setter
    def priority(self, value: int) -> None:
        self.rank = -value


NEW, IN_PROGRESS = QueueItem.status == literal_column("'new'"), QueueItem.status == literal_column("'in_progress'")
"""As literals, so that the partial indexes are seen to apply."""
ENDED = QueueItem.status.not_in([literal_column(f"'{status}'") for status in ("new", "in_progress")])
READY = and_(NEW, QueueItem.available_at.is_(None))
