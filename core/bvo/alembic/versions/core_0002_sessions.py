"""sessions, and counters of attempts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import BigId, UTCDateTime

revision = "core_0002"
down_revision = "core_0001"


def upgrade() -> None:
    op.create_table(
        "attempt_counts",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", UTCDateTime(), nullable=False),
        sa.Column("blocked_until", UTCDateTime(), nullable=True),
        sa.Column("forget_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_attempt_counts")),
    )
    op.create_index("ix_attempt_counts_forget_at", "attempt_counts", ["forget_at"])
    op.create_table(
        "sessions",
        sa.Column("id", BigId, nullable=False),
        sa.Column("sid", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=True),
        sa.Column("ip_address", sa.String(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("last_used_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("refresh_jti", sa.String(), nullable=True),
        sa.Column("previous_jti", sa.String(), nullable=True),
        sa.Column("rotated_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("sid", name=op.f("uq_sessions_sid")),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_index("ix_sessions_user_id", "sessions", ["user_id", "id"])
    op.create_index("ix_sessions_username", "sessions", ["username", "ip_address"])


def downgrade() -> None:
    op.drop_table("sessions")
    op.drop_table("attempt_counts")
