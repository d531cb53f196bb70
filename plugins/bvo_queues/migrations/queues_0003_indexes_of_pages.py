"""the items of a job, and what has ended in a queue, along an index"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "queues_0003"
down_revision = "queues_0002"

INDEXES = (
    ("ix_queue_items_ended", ["queue_id", "updated_at", "status"], "status IN ('completed', 'failed', 'abandoned')"),
    ("ix_queue_items_of_job", ["job_id", "id"], "job_id IS NOT NULL"),
)


def upgrade() -> None:
    for name, columns, where in INDEXES:
        op.create_index(name, "queue_items", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def downgrade() -> None:
    for name, _, _ in INDEXES:
        op.drop_index(name, "queue_items")
