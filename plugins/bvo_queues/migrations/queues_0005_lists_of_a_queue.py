"""indexes of lists: a queue's items, all items by what people call them, and those that have ended by that time"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "queues_0005"
down_revision = "queues_0004"

ENDED = "(status NOT IN ('new', 'in_progress'))"
BEFORE = "status IN ('completed', 'failed', 'abandoned')"
OF_A_QUEUE = ["queue_id", "updated_at", "status"]


def upgrade() -> None:
    op.drop_index("ix_queue_items_ended", "queue_items")
    _create("ended", OF_A_QUEUE, ENDED)
    _create("ended_at", ["updated_at", "status"], ENDED)
    _create("newest", ["queue_id", "id"])
    _create("name", ["reference", "id"])


def downgrade() -> None:
    for name in ("name", "newest", "ended_at", "ended"):
        op.drop_index(f"ix_queue_items_{name}", "queue_items")
    _create("ended", OF_A_QUEUE, BEFORE)


def _create(name: str, columns: list[str], where: str = "") -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        f"ix_queue_items_{name}", "queue_items", columns, postgresql_where=condition, sqlite_where=condition
    )
