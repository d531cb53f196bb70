"""create tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import BigId, Json, UTCDateTime

revision = "email_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "mail_notifications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("recipients", Json, nullable=False),
        sa.Column("event_types", Json, nullable=False),
        sa.Column("filters", Json, nullable=False),
        sa.Column("digest_minutes", sa.Integer(), nullable=False),
        sa.Column("subject_template", sa.String(), nullable=True),
        sa.Column("text_template", sa.String(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("last_sent_at", UTCDateTime(), nullable=True),
        sa.Column("failing_since", UTCDateTime(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_notifications")),
        sa.UniqueConstraint("name", name=op.f("uq_mail_notifications_name")),
    )
    op.create_table(
        "mails",
        sa.Column("id", BigId, nullable=False),
        sa.Column("notification_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("recipients", Json, nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("holds_others", sa.Boolean(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("available_at", UTCDateTime(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_hash", sa.String(), nullable=True),
        sa.Column("lease_expires_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["mail_notifications.id"],
            name=op.f("fk_mails_notification_id_mail_notifications"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
    )
    op.create_index(
        "ix_mails_due",
        "mails",
        ["available_at", "id"],
        postgresql_where=sa.text("finished_at IS NULL"),
        sqlite_where=sa.text("finished_at IS NULL"),
    )
    op.create_index("ix_mails_notification", "mails", ["notification_id", "id"])
    op.create_index(
        "ix_mails_finished_at",
        "mails",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
        sqlite_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_table(
        "mail_items",
        sa.Column("notification_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", BigId, autoincrement=False, nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("mail_id", BigId, nullable=True),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["mails.id"], name=op.f("fk_mail_items_mail_id_mails"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["mail_notifications.id"],
            name=op.f("fk_mail_items_notification_id_mail_notifications"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("notification_id", "place", name=op.f("pk_mail_items")),
    )
    op.create_index(
        "ix_mail_items_mail",
        "mail_items",
        ["mail_id", "place"],
        postgresql_where=sa.text("mail_id IS NOT NULL"),
        sqlite_where=sa.text("mail_id IS NOT NULL"),
    )
    op.create_index(
        "ix_mail_items_waiting",
        "mail_items",
        ["notification_id", "due_at"],
        postgresql_where=sa.text("mail_id IS NULL"),
        sqlite_where=sa.text("mail_id IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("mail_items")
    op.drop_table("mails")
    op.drop_table("mail_notifications")
