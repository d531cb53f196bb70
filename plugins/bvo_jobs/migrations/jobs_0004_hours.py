"""how many jobs ended in each hour"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import UTCDateTime

revision = "jobs_0004"
down_revision = "jobs_0003"


def upgrade() -> None:
    op.create_table(
        "job_hours",
        sa.Column("hour", UTCDateTime(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "status", name=op.f("pk_job_hours")),
    )
    op.create_index("ix_jobs_finished_at", "jobs", ["finished_at", "status"])


def downgrade() -> None:
    op.drop_index("ix_jobs_finished_at", table_name="jobs")
    op.drop_table("job_hours")
