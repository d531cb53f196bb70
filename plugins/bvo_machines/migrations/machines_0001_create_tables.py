"""create tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import UTCDateTime

revision = "machines_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "machines",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("last_seen_at", UTCDateTime(), nullable=True),
        sa.Column("machine_key_hash", sa.String(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machines")),
        sa.UniqueConstraint("machine_key_hash", name=op.f("uq_machines_machine_key_hash")),
        sa.UniqueConstraint("name", name=op.f("uq_machines_name")),
    )


def downgrade() -> None:
    op.drop_table("machines")
