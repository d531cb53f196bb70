"""Jobs, their log and their artifacts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from bvo.database import Base, BigId, Json, utcnow
from bvo.leases import Leased
from bvo_processes.models import Process
from bvo_robots.models import Robot


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


READY = "status = 'pending' AND available_at IS NULL"


class Job(Base, Leased):
    """One execution. What it runs is pinned when it is made: script, package version and digest stay the same.

    `rank` is the negated priority: a claim walks its index upwards. `available_at` is null as soon as the job may be
    claimed. `is_assigned` says that it was made for its robot, which then does not change when an attempt is lost.
    `confirmed_at` is null between a claim and the robot's word that it heard of it.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        _partial("ix_jobs_open", "rank", "id", where=f"{READY} AND robot_id IS NULL"),
        _partial("ix_jobs_assigned", "robot_id", "rank", "id", where=f"{READY} AND robot_id IS NOT NULL"),
        _partial("ix_jobs_waiting", "available_at", where="status = 'pending' AND available_at IS NOT NULL"),
        _partial("uq_jobs_running_robot", "robot_id", where="status = 'running'", unique=True),
        _partial("ix_jobs_lease", "lease_expires_at", where="status = 'running'"),
        _partial("ix_jobs_deadline", "deadline_at", where="status = 'running' AND deadline_at IS NOT NULL"),
        _partial("ix_jobs_running_process", "process_id", where="status = 'running'"),
        _partial("ix_jobs_decided", "process_id", "finished_at", "status", where="status IN ('completed', 'failed')"),
        Index("ix_jobs_status", "status", "id"),
        Index("ix_jobs_process", "process_id", "id"),
        Index("ix_jobs_robot", "robot_id", "id"),
        Index("ix_jobs_created_at", "created_at"),
        Index("ix_jobs_finished_at", "finished_at", "status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    process_id: Mapped[int] = mapped_column(ForeignKey("processes.id"))
    process_version: Mapped[int]
    script_path: Mapped[str]
    package_id: Mapped[int] = mapped_column(ForeignKey("packages.id"), index=True)
    package_name: Mapped[str]
    package_version: Mapped[str]
    package_sha256: Mapped[str]
    robot_id: Mapped[int | None] = mapped_column(ForeignKey("robots.id"))
    is_assigned: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(default="pending")
    rank: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=1)
    retry_delay_seconds: Mapped[int] = mapped_column(default=30)
    timeout_seconds: Mapped[int | None]
    available_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    claim_key: Mapped[str | None]
    parameters: Mapped[dict[str, Any] | None] = mapped_column(Json)
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)
    result_fingerprint: Mapped[str | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    canceled_by: Mapped[str | None]
    stop_report: Mapped[str | None]
    retried_from_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"), index=True)
    logs_path: Mapped[str | None]
    progress: Mapped[dict[str, Any] | None] = mapped_column(Json)
    log_characters: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    process: Mapped[Process] = relationship(lazy="joined")
    robot: Mapped[Robot | None] = relationship(lazy="joined")

    @property
    def name(self) -> str:
        """What people call it: a job has no name of its own."""
        return f"{self.process.name} #{self.id}"

    @property
    def priority(self) -> int:
        """Higher comes first."""
        return -self.rank

    @priority.setter
    def priority(self, value: int) -> None:
        self.rank = -value


class LogChunk(Base):
    """A piece of what an attempt printed. The robot numbers the pieces, so that one sent twice is kept once."""

    __tablename__ = "job_log_chunks"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    sequence: Mapped[int]
    text: Mapped[str]
    __table_args__ = (UniqueConstraint("job_id", "attempt", "sequence"),)


class Artifact(Base):
    """A file that a job made. It lies in the store, under its digest."""

    __tablename__ = "job_artifacts"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    name: Mapped[str]
    size_bytes: Mapped[int]
    sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    __table_args__ = (UniqueConstraint("job_id", "attempt", "name"),)

    @property
    def store_key(self) -> str:
        return store_key(self.job_id, self.sha256)


class LostAttempt(Base):
    """An attempt that ended without a result: what became of it, and what its robot reported afterwards, in vain."""

    __tablename__ = "job_lost_attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    attempt: Mapped[int]
    robot_id: Mapped[int | None]
    lease_hash: Mapped[str | None]
    reason: Mapped[str]
    lost_at: Mapped[datetime] = mapped_column(default=utcnow)
    late_report: Mapped[dict[str, Any] | None] = mapped_column(Json)
    late_at: Mapped[datetime | None]


class JobHour(Base):
    """How many jobs ended in this way within the hour that begins then."""

    __tablename__ = "job_hours"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(primary_key=True)
    jobs: Mapped[int]


def store_key(job_id: int, sha256: str) -> str:
    """Where an artifact's file lies in the store."""
    return f"artifacts/{job_id}/{sha256}"


Robot.current_job_id = column_property(
    select(Job.id)
    .where(Job.robot_id == Robot.id, Job.status == text("'running'"))
    .correlate_except(Job)
    .limit(1)
    .scalar_subquery()
)
