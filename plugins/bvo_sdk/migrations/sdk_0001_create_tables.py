"""create tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import UTCDateTime

revision = "sdk_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "sdk_sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_hash", sa.String(), nullable=False),
        sa.Column("machine_name", sa.String(), nullable=False),
        sa.Column("user_code", sa.String(), nullable=False),
        sa.Column("code_challenge", sa.String(), nullable=True),
        sa.Column("ip_address", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sdk_sessions_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sdk_sessions")),
        sa.UniqueConstraint("session_hash", name=op.f("uq_sdk_sessions_session_hash")),
    )
    with op.batch_alter_table("sdk_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sdk_sessions_expires_at"), ["expires_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("sdk_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sdk_sessions_expires_at"))

    op.drop_table("sdk_sessions")
