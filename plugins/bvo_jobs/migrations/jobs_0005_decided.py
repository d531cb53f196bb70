"""the jobs of a process that were completed or failed, in the order in which they ended"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "jobs_0005"
down_revision = "jobs_0004"

DECIDED = sa.text("status IN ('completed', 'failed')")


def upgrade() -> None:
    op.create_index(
        "ix_jobs_decided",
        "jobs",
        ["process_id", "finished_at", "status"],
        postgresql_where=DECIDED,
        sqlite_where=DECIDED,
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_decided", table_name="jobs")
