"""Processes, and what they were."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bvo.database import Base, Timestamps, utcnow
from bvo_packages.models import Package

LIMITED = text("max_running_jobs IS NOT NULL")
"""Each claim asks which of these are full."""


class Process(Base, Timestamps):
    """A script of a package under a name of its own. `version` counts the changes of package and script.

    How its jobs run, where they do not say it themselves: `timeout_seconds`, `max_attempts`, `retry_delay_seconds`;
    and how many of them may run at once (`max_running_jobs`). `parameters_schema`, a JSON Schema, says what people are
    asked for when they start one.
    """

    __tablename__ = "processes"
    __table_args__ = (Index("ix_processes_limited", "id", postgresql_where=LIMITED, sqlite_where=LIMITED),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    package_id: Mapped[int] = mapped_column(ForeignKey("packages.id"), index=True)
    script_path: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    timeout_seconds: Mapped[int | None]
    max_attempts: Mapped[int] = mapped_column(default=1)
    retry_delay_seconds: Mapped[int] = mapped_column(default=30)
    max_running_jobs: Mapped[int | None]
    parameters_schema: Mapped[dict[str, Any] | None]
    package: Mapped[Package] = relationship(lazy="joined")


class ProcessVersion(Base):
    """What a process ran from this version on. The package may be gone since; `created_by` is who made the change."""

    __tablename__ = "process_versions"
    __table_args__ = (UniqueConstraint("process_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    process_id: Mapped[int] = mapped_column(ForeignKey("processes.id", ondelete="CASCADE"))
    version: Mapped[int]
    package_id: Mapped[int | None] = mapped_column(ForeignKey("packages.id", ondelete="SET NULL"), index=True)
    package_name: Mapped[str]
    package_version: Mapped[str]
    script_path: Mapped[str]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
