"""since when the items of a queue wait"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "queues_0006"
down_revision = "queues_0005"

READY = sa.text("status = 'new' AND available_at IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_queue_items_since",
        "queue_items",
        ["queue_id", "updated_at"],
        postgresql_where=READY,
        sqlite_where=READY,
    )


def downgrade() -> None:
    op.drop_index("ix_queue_items_since", table_name="queue_items")
