"""The index of delivered events has no others in it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0006"
down_revision = "core_0005"

NAME, TABLE, COLUMNS = "ix_outbox_delivered_at", "outbox", ["delivered_at"]


def upgrade() -> None:
    op.drop_index(NAME, TABLE)
    delivered = sa.text("delivered_at IS NOT NULL")
    op.create_index(NAME, TABLE, COLUMNS, postgresql_where=delivered, sqlite_where=delivered)


def downgrade() -> None:
    op.drop_index(NAME, TABLE)
    op.create_index(NAME, TABLE, COLUMNS)
