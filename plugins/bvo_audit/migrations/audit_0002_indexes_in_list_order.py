"""indexes that end in the order of the list

On a log of ten million rows they take some minutes. On PostgreSQL, writes to the log wait for them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "audit_0002"
down_revision = "audit_0001"

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


def upgrade() -> None:
    for name in ("action", "action_type", "actor", "entity", "timestamp"):
        op.drop_index(f"ix_audit_events_{name}", "audit_events")
    for name, columns in INDEXES.items():
        where = sa.text("actor_user_id IS NOT NULL") if name == "user_id" else None
        op.create_index(
            f"ix_audit_events_{name}", "audit_events", list(columns), postgresql_where=where, sqlite_where=where
        )


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(f"ix_audit_events_{name}", "audit_events")
    op.create_index("ix_audit_events_action", "audit_events", ["action"])
    op.create_index("ix_audit_events_action_type", "audit_events", ["action_type", "id"])
    op.create_index("ix_audit_events_actor", "audit_events", ["actor_username", "id"])
    op.create_index("ix_audit_events_entity", "audit_events", ["entity_type", "entity_id", "id"])
    op.create_index("ix_audit_events_timestamp", "audit_events", ["timestamp"])
