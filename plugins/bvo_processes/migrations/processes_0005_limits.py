"""an index of those that limit how many of their jobs run at once: each claim asks for them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "processes_0005"
down_revision = "processes_0004"


def upgrade() -> None:
    where = sa.text("max_running_jobs IS NOT NULL")
    op.create_index("ix_processes_limited", "processes", ["id"], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    op.drop_index("ix_processes_limited", "processes")
