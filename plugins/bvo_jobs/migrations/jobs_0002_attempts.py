"""attempts, priorities, deadlines"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from bvo.database import Json, UTCDateTime

revision = "jobs_0002"
down_revision = "jobs_0001"

COLUMNS: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("is_assigned", sa.Boolean(), {"nullable": False, "server_default": sa.false()}),
    ("rank", sa.Integer(), {"nullable": False, "server_default": "0"}),
    ("max_attempts", sa.Integer(), {"nullable": False, "server_default": "1"}),
    ("retry_delay_seconds", sa.Integer(), {"nullable": False, "server_default": "30"}),
    ("timeout_seconds", sa.Integer(), {}),
    ("available_at", UTCDateTime(), {}),
    ("deadline_at", UTCDateTime(), {}),
    ("confirmed_at", UTCDateTime(), {}),
    ("claim_key", sa.String(), {}),
    ("error_code", sa.String(), {}),
    ("canceled_by", sa.String(), {}),
    ("stop_report", sa.String(), {}),
    ("retried_from_id", sa.Integer(), {}),
)
READY = "status = 'pending' AND available_at IS NULL"
INDEXES = {
    "ix_jobs_open": (["rank", "id"], f"{READY} AND robot_id IS NULL"),
    "ix_jobs_assigned": (["robot_id", "rank", "id"], f"{READY} AND robot_id IS NOT NULL"),
    "ix_jobs_waiting": (["available_at"], "status = 'pending' AND available_at IS NOT NULL"),
    "ix_jobs_deadline": (["deadline_at"], "status = 'running' AND deadline_at IS NOT NULL"),
    "ix_jobs_running_process": (["process_id"], "status = 'running'"),
}
REPLACED = {
    "ix_jobs_pending_any": (["id"], "status = 'pending' AND robot_id IS NULL"),
    "ix_jobs_pending_robot": (["robot_id", "id"], "status = 'pending' AND robot_id IS NOT NULL"),
}


def upgrade() -> None:
    for name, kind, options in COLUMNS:
        op.add_column("jobs", sa.Column(name, kind, **options))
    # a job that pends for a robot was made for it; one that runs may go to any, should it ever be repeated
    op.execute("UPDATE jobs SET is_assigned = (robot_id IS NOT NULL) WHERE status = 'pending'")
    op.execute("UPDATE jobs SET confirmed_at = started_at WHERE status = 'running'")
    for name in REPLACED:
        op.drop_index(name, table_name="jobs")
    _make(INDEXES)
    op.create_index("ix_jobs_retried_from_id", "jobs", ["retried_from_id"])
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.create_foreign_key(
            "fk_jobs_retried_from_id_jobs", "jobs", ["retried_from_id"], ["id"], ondelete="SET NULL"
        )
    op.create_table(
        "job_lost_attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("robot_id", sa.Integer(), nullable=True),
        sa.Column("lease_hash", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("lost_at", UTCDateTime(), nullable=False),
        sa.Column("late_report", Json, nullable=True),
        sa.Column("late_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_lost_attempts_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_job_lost_attempts"),
    )
    op.create_index("ix_job_lost_attempts_job_id", "job_lost_attempts", ["job_id"])


def downgrade() -> None:
    op.drop_table("job_lost_attempts")
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.drop_constraint("fk_jobs_retried_from_id_jobs", type_="foreignkey")
    op.drop_index("ix_jobs_retried_from_id", table_name="jobs")
    for name in INDEXES:
        op.drop_index(name, table_name="jobs")
    _make(REPLACED)
    for name, _, _ in COLUMNS:
        op.drop_column("jobs", name)


def _make(indexes: dict[str, tuple[list[str], str]]) -> None:
    for name, (columns, where) in indexes.items():
        condition = sa.text(where)
        op.create_index(name, "jobs", columns, postgresql_where=condition, sqlite_where=condition)
