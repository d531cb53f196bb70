"""create tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import BigId, Json, UTCDateTime

revision = "webhooks_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("event_types", Json, nullable=False),
        sa.Column("filters", Json, nullable=False),
        sa.Column("header_names", Json, nullable=False),
        sa.Column("header_value", sa.String(), nullable=True),
        sa.Column("signing_secret", sa.String(), nullable=True),
        sa.Column("old_signing_secret", sa.String(), nullable=True),
        sa.Column("old_secret_until", UTCDateTime(), nullable=True),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", UTCDateTime(), nullable=True),
        sa.Column("paused_until", UTCDateTime(), nullable=True),
        sa.Column("disabled_reason", sa.String(), nullable=True),
        sa.Column("replay_from", BigId, nullable=True),
        sa.Column("replay_to", BigId, nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("name", name=op.f("uq_webhooks_name")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", BigId, nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("place", BigId, nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("available_at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("response", Json, nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("milliseconds", sa.Double(), nullable=True),
        sa.Column("attempts", Json, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_hash", sa.String(), nullable=True),
        sa.Column("lease_expires_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id_webhooks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("webhook_id", "place", name=op.f("uq_webhook_deliveries_webhook_id")),
    )
    with op.batch_alter_table("webhook_deliveries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_webhook_deliveries_due",
            ["webhook_id", "available_at", "id"],
            unique=False,
            postgresql_where=sa.text("status = 'pending'"),
            sqlite_where=sa.text("status = 'pending'"),
        )
        batch_op.create_index("ix_webhook_deliveries_event_type", ["event_type", "id"], unique=False)
        batch_op.create_index("ix_webhook_deliveries_finished_at", ["finished_at"], unique=False)
        batch_op.create_index(
            "ix_webhook_deliveries_leased",
            ["webhook_id"],
            unique=False,
            postgresql_where=sa.text("lease_hash IS NOT NULL"),
            sqlite_where=sa.text("lease_hash IS NOT NULL"),
        )
        batch_op.create_index("ix_webhook_deliveries_status", ["status", "id"], unique=False)
        batch_op.create_index(
            "ix_webhook_deliveries_subject",
            ["webhook_id", "subject", "place"],
            unique=False,
            postgresql_where=sa.text("status = 'pending'"),
            sqlite_where=sa.text("status = 'pending'"),
        )
        batch_op.create_index("ix_webhook_deliveries_webhook", ["webhook_id", "id"], unique=False)
        batch_op.create_index("ix_webhook_deliveries_webhook_status", ["webhook_id", "status", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("webhook_deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_webhook_deliveries_webhook_status")
        batch_op.drop_index("ix_webhook_deliveries_webhook")
        batch_op.drop_index(
            "ix_webhook_deliveries_subject",
            postgresql_where=sa.text("status = 'pending'"),
            sqlite_where=sa.text("status = 'pending'"),
        )
        batch_op.drop_index("ix_webhook_deliveries_status")
        batch_op.drop_index(
            "ix_webhook_deliveries_leased",
            postgresql_where=sa.text("lease_hash IS NOT NULL"),
            sqlite_where=sa.text("lease_hash IS NOT NULL"),
        )
        batch_op.drop_index("ix_webhook_deliveries_finished_at")
        batch_op.drop_index("ix_webhook_deliveries_event_type")
        batch_op.drop_index(
            "ix_webhook_deliveries_due",
            postgresql_where=sa.text("status = 'pending'"),
            sqlite_where=sa.text("status = 'pending'"),
        )

    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")
