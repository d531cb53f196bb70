"""create tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import BigId, Json, UTCDateTime

revision = "jobs_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("process_id", sa.Integer(), nullable=False),
        sa.Column("process_version", sa.Integer(), nullable=False),
        sa.Column("script_path", sa.String(), nullable=False),
        sa.Column("package_id", sa.Integer(), nullable=False),
        sa.Column("package_name", sa.String(), nullable=False),
        sa.Column("package_version", sa.String(), nullable=False),
        sa.Column("package_sha256", sa.String(), nullable=False),
        sa.Column("robot_id", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("parameters", Json, nullable=True),
        sa.Column("result", Json, nullable=True),
        sa.Column("result_fingerprint", sa.String(), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("logs_path", sa.String(), nullable=True),
        sa.Column("progress", Json, nullable=True),
        sa.Column("log_characters", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_hash", sa.String(), nullable=True),
        sa.Column("lease_expires_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["package_id"], ["packages.id"], name=op.f("fk_jobs_package_id_packages")),
        sa.ForeignKeyConstraint(["process_id"], ["processes.id"], name=op.f("fk_jobs_process_id_processes")),
        sa.ForeignKeyConstraint(["robot_id"], ["robots.id"], name=op.f("fk_jobs_robot_id_robots")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index("ix_jobs_created_at", ["created_at"], unique=False)
        batch_op.create_index(
            "ix_jobs_lease",
            ["lease_expires_at"],
            unique=False,
            postgresql_where=sa.text("status = 'running'"),
            sqlite_where=sa.text("status = 'running'"),
        )
        batch_op.create_index(batch_op.f("ix_jobs_package_id"), ["package_id"], unique=False)
        batch_op.create_index(
            "ix_jobs_pending_any",
            ["id"],
            unique=False,
            postgresql_where=sa.text("status = 'pending' AND robot_id IS NULL"),
            sqlite_where=sa.text("status = 'pending' AND robot_id IS NULL"),
        )
        batch_op.create_index(
            "ix_jobs_pending_robot",
            ["robot_id", "id"],
            unique=False,
            postgresql_where=sa.text("status = 'pending' AND robot_id IS NOT NULL"),
            sqlite_where=sa.text("status = 'pending' AND robot_id IS NOT NULL"),
        )
        batch_op.create_index("ix_jobs_process", ["process_id", "id"], unique=False)
        batch_op.create_index("ix_jobs_robot", ["robot_id", "id"], unique=False)
        batch_op.create_index("ix_jobs_status", ["status", "id"], unique=False)
        batch_op.create_index(
            "uq_jobs_running_robot",
            ["robot_id"],
            unique=True,
            postgresql_where=sa.text("status = 'running'"),
            sqlite_where=sa.text("status = 'running'"),
        )

    op.create_table(
        "job_artifacts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_artifacts_job_id_jobs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_artifacts")),
        sa.UniqueConstraint("job_id", "attempt", "name", name=op.f("uq_job_artifacts_job_id")),
    )
    op.create_table(
        "job_log_chunks",
        sa.Column("id", BigId, nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_log_chunks_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_log_chunks")),
        sa.UniqueConstraint("job_id", "attempt", "sequence", name=op.f("uq_job_log_chunks_job_id")),
    )


def downgrade() -> None:
    op.drop_table("job_log_chunks")
    op.drop_table("job_artifacts")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_jobs_running_robot",
            postgresql_where=sa.text("status = 'running'"),
            sqlite_where=sa.text("status = 'running'"),
        )
        batch_op.drop_index("ix_jobs_status")
        batch_op.drop_index("ix_jobs_robot")
        batch_op.drop_index("ix_jobs_process")
        batch_op.drop_index(
            "ix_jobs_pending_robot",
            postgresql_where=sa.text("status = 'pending' AND robot_id IS NOT NULL"),
            sqlite_where=sa.text("status = 'pending' AND robot_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_jobs_pending_any",
            postgresql_where=sa.text("status = 'pending' AND robot_id IS NULL"),
            sqlite_where=sa.text("status = 'pending' AND robot_id IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_jobs_package_id"))
        batch_op.drop_index(
            "ix_jobs_lease", postgresql_where=sa.text("status = 'running'"), sqlite_where=sa.text("status = 'running'")
        )
        batch_op.drop_index("ix_jobs_created_at")

    op.drop_table("jobs")
