"""create tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import UTCDateTime

revision = "assets_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "assets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("plain_value", sa.String(), nullable=True),
        sa.Column("username", sa.String(), nullable=True),
        sa.Column("secret", sa.String(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assets")),
        sa.UniqueConstraint("name", name=op.f("uq_assets_name")),
    )
    op.create_table(
        "asset_processes",
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("process_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["assets.id"], name=op.f("fk_asset_processes_asset_id_assets"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["process_id"], ["processes.id"], name=op.f("fk_asset_processes_process_id_processes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("asset_id", "process_id", name=op.f("pk_asset_processes")),
    )
    with op.batch_alter_table("asset_processes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_asset_processes_process_id"), ["process_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("asset_processes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_asset_processes_process_id"))

    op.drop_table("asset_processes")
    op.drop_table("assets")
