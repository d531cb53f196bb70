"""indexes that have the items of a queue in the order of lists, and all items by what people call them"""

from __future__ import annotations

from alembic import op

revision = "queues_0005"
down_revision = "queues_0004"

INDEXES = {"newest": ("queue_id", "id"), "name": ("reference", "id")}


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.create_index(f"ix_queue_items_{name}", "queue_items", list(columns))


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(f"ix_queue_items_{name}", "queue_items")
