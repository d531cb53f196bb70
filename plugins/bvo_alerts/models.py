"""Rules, and what they found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bvo.database import Base, BigId, Timestamps, utcnow

from . import conditions

OPEN, RESOLVED = "open", "resolved"
STATES = (OPEN, RESOLVED)
IS_OPEN = text(f"status = '{OPEN}'")


class AlertRule(Base, Timestamps):
    """What is watched: a condition of a plugin, with the parameters that it wants, as JSON.

    `watching_since` is when it began to: when it was made, made active again, or given other parameters. `checked_at`
    is null where it is to be judged at once; who judges it proves by it that nobody else has begun meanwhile.
    """

    __tablename__ = "alert_rules"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    condition: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    is_active: Mapped[bool] = mapped_column(default=True)
    watching_since: Mapped[datetime] = mapped_column(default=utcnow)
    checked_at: Mapped[datetime | None]
    last_error: Mapped[str | None]

    @property
    def watches(self) -> str:
        """The condition, for people."""
        return conditions.label_of(self.condition)


class Alert(Base):
    """That a rule's condition holds, or held, for `subject`."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("uq_alerts_open", "rule_id", "subject", unique=True, postgresql_where=IS_OPEN, sqlite_where=IS_OPEN),
        Index("ix_alerts_rule", "rule_id", "id"),
        Index("ix_alerts_rule_status", "rule_id", "status", "id"),
        Index("ix_alerts_status", "status", "id"),
        Index("ix_alerts_subject", "subject", "id"),
        Index("ix_alerts_resolved_at", "resolved_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    rule_id: Mapped[int] = mapped_column(ForeignKey(AlertRule.id, ondelete="CASCADE"))
    subject: Mapped[str]
    subject_name: Mapped[str]
    message: Mapped[str]
    status: Mapped[str] = mapped_column(default=OPEN)
    raised_at: Mapped[datetime] = mapped_column(default=utcnow)
    resolved_at: Mapped[datetime | None]

    rule: Mapped[AlertRule] = relationship(lazy="joined", innerjoin=True)

    @property
    def name(self) -> str:
        return f"{self.rule.name}: {self.subject_name}"

    @property
    def condition(self) -> str:
        return self.rule.condition
