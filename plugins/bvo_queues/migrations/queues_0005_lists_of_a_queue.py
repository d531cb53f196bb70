"""indexes of lists: a queue's items, all items by what people call them, and those that have ended by that time"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "queues_0005"
down_revision = "queues_0004"

ENDED = "status IN ('completed', 'failed', 'abandoned')"
INDEXES = {
    "newest": (["queue_id", "id"], None),
    "name": (["reference", "id"], None),
    "ended_at": (["updated_at", "status"], sa.text(ENDED)),
}


def upgrade() -> None:
    for name, (columns, where) in INDEXES.items():
        op.create_index(f"ix_queue_items_{name}", "queue_items", columns, postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(f"ix_queue_items_{name}", "queue_items")
