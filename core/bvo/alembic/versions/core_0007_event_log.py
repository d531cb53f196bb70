"""the event log, and who has had which of it

It takes the place of the outbox, and of the audit log's own table: revision audit_0004 moves what that one has.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import BigId, Json, UTCDateTime

revision = "core_0007"
down_revision = "core_0006"

ORDER = ("timestamp", "id")
INDEXES = {
    "time": ORDER,
    "username": ("actor_username", *ORDER, "action_type", "action", "entity_type"),
    "user_id": ("actor_user_id", *ORDER, "action_type", "action", "entity_type"),
    "action": ("action", *ORDER),
    "action_type": ("action_type", *ORDER),
    "entity_type": ("entity_type", *ORDER, "action_type", "action"),
    "entity_id": ("entity_id", "entity_type", *ORDER),
}
TENDED = (
    "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,"
    " autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000"
)
"""The log only grows, and loses its oldest rows: it is tended in small steps, not when a fifth of it has changed."""

OUTBOX_TENDED = (
    "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,"
    " autovacuum_analyze_scale_factor = 0.2"
)

NUMBERED = "CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('events_id_seq') END"
"""The transaction gets its number before the event does: whoever reads the log relies on it."""


def upgrade() -> None:
    op.drop_table("outbox")
    op.create_table(
        "events",
        sa.Column("id", BigId, nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("timestamp", UTCDateTime(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("actor_user_id", sa.Integer(), nullable=True),
        sa.Column("actor_username", sa.String(), nullable=False),
        sa.Column("ip_address", sa.String(), nullable=True),
        sa.Column("user_agent", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("action_type", sa.String(), nullable=False),
        sa.Column("entity_type", sa.String(), nullable=False),
        sa.Column("entity_display", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("entity_name", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("before_data", Json, nullable=True),
        sa.Column("after_data", Json, nullable=True),
        sa.Column("details", Json, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    for name, columns in INDEXES.items():
        where = sa.text("actor_user_id IS NOT NULL") if name == "user_id" else None
        op.create_index(f"ix_events_{name}", "events", list(columns), postgresql_where=where, sqlite_where=where)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE events ALTER id SET DEFAULT {NUMBERED}")
        op.execute(f"ALTER TABLE events SET ({TENDED})")

    op.create_table(
        "event_consumers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("position", BigId, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_hash", sa.String(), nullable=True),
        sa.Column("lease_expires_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_consumers")),
        sa.UniqueConstraint("name", name=op.f("uq_event_consumers_name")),
    )
    op.create_table(
        "held_events",
        sa.Column("id", BigId, nullable=False),
        sa.Column("consumer_id", sa.Integer(), nullable=False),
        sa.Column("entity_type", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("since", BigId, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("available_at", UTCDateTime(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consumer_id"],
            ["event_consumers.id"],
            name=op.f("fk_held_events_consumer_id_event_consumers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_events")),
        sa.UniqueConstraint("consumer_id", "entity_id", "entity_type", name=op.f("uq_held_events_consumer_id")),
    )


def downgrade() -> None:
    op.drop_table("held_events")
    op.drop_table("event_consumers")
    op.drop_table("events")
    op.create_table(
        "outbox",
        sa.Column("id", BigId, nullable=False),
        sa.Column("event", Json, nullable=False),
        sa.Column("pending", Json, nullable=True),
        sa.Column("available_at", UTCDateTime(), nullable=False),
        sa.Column("delivered_at", UTCDateTime(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_hash", sa.String(), nullable=True),
        sa.Column("lease_expires_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    for name, columns, is_set in (
        ("delivered_at", ["delivered_at"], "IS NOT NULL"),
        ("due", ["available_at", "id"], "IS NULL"),
    ):
        where = sa.text(f"delivered_at {is_set}")
        op.create_index(f"ix_outbox_{name}", "outbox", columns, postgresql_where=where, sqlite_where=where)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE outbox SET ({OUTBOX_TENDED})")
