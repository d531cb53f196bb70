"""seals, and the key that signs exports"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import BigId, UTCDateTime

revision = "audit_0005"
down_revision = "audit_0004"

KEPT = sa.text("fingerprints IS NOT NULL")


def upgrade() -> None:
    """What is in the log already, the workers seal when they start."""
    op.create_table(
        "audit_seals",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("first", BigId, nullable=False),
        sa.Column("last", BigId, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("oldest", UTCDateTime(), nullable=False),
        sa.Column("newest", UTCDateTime(), nullable=False),
        sa.Column("events_hash", sa.String(), nullable=False),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("sealed_at", UTCDateTime(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("fingerprints", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_seals")),
    )
    op.create_index("ix_audit_seals_kept", "audit_seals", ["newest"], postgresql_where=KEPT, sqlite_where=KEPT)
    op.create_table(
        "audit_keys",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("private_key", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_keys")),
    )


def downgrade() -> None:
    op.drop_table("audit_keys")
    op.drop_table("audit_seals")
