"""the audit log is the core's event log

Of ten million rows the move takes some minutes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bvo.database import BigId, Json, UTCDateTime

revision = "audit_0004"
down_revision = "audit_0003"

SAME = (
    "id, event_id, timestamp, actor_kind, actor_user_id, actor_username, ip_address, user_agent, action, action_type,"
    " entity_type, entity_display, entity_id, entity_name, message, before_data, after_data, details"
)
TYPE = " ".join(
    f"WHEN action LIKE '%.{verb}' THEN substr(action, 1, length(action) - {len(verb)}) || '{kind}'"
    for verb, kind in (("create", "created"), ("update", "updated"), ("delete", "deleted"))
)
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


def upgrade() -> None:
    op.execute(
        f"INSERT INTO events ({SAME}, type, actor_id)"  # noqa: S608 - our own words
        f" SELECT {SAME}, CASE {TYPE} ELSE action END, actor_user_id FROM audit_events ORDER BY id"
    )
    _go_on("events")
    op.drop_table("audit_events")


def downgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", BigId, nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("timestamp", UTCDateTime(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
        sa.UniqueConstraint("event_id", name=op.f("uq_audit_events_event_id")),
    )
    op.execute(f"INSERT INTO audit_events ({SAME}) SELECT {SAME} FROM events ORDER BY id")  # noqa: S608
    op.execute("DELETE FROM events")
    _go_on("audit_events")
    for name, columns in INDEXES.items():
        where = sa.text("actor_user_id IS NOT NULL") if name == "user_id" else None
        op.create_index(
            f"ix_audit_events_{name}", "audit_events", list(columns), postgresql_where=where, sqlite_where=where
        )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE audit_events SET ({TENDED})")


def _go_on(table: str) -> None:
    """Number what comes behind what was moved."""
    if op.get_bind().dialect.name == "postgresql":
        newest = f"(SELECT max(id) FROM {table})"  # noqa: S608
        op.execute(f"SELECT setval('{table}_id_seq', coalesce({newest}, 1), {newest} IS NOT NULL)")
