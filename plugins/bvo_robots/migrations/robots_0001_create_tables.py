"""create tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import UTCDateTime

revision = "robots_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "robots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=True),
        sa.Column("machine_info", sa.String(), nullable=True),
        sa.Column("credential_asset_id", sa.Integer(), nullable=True),
        sa.Column("last_heartbeat", UTCDateTime(), nullable=True),
        sa.Column("api_token_hash", sa.String(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name=op.f("fk_robots_machine_id_machines")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_robots")),
        sa.UniqueConstraint("api_token_hash", name=op.f("uq_robots_api_token_hash")),
        sa.UniqueConstraint("name", name=op.f("uq_robots_name")),
    )
    with op.batch_alter_table("robots", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_robots_machine_id"), ["machine_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("robots", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_robots_machine_id"))

    op.drop_table("robots")
