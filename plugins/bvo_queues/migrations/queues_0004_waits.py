"""how long an item was to wait, so that it can count anew"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "queues_0004"
down_revision = "queues_0003"


def upgrade() -> None:
    op.add_column("queue_items", sa.Column("wait_seconds", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("queue_items", "wait_seconds")
