"""leases, retries with waits, deadlines, unique references"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from bvo.database import UTCDateTime

revision = "queues_0002"
down_revision = "queues_0001"

COLUMNS: dict[str, tuple[tuple[str, Any, dict[str, Any]], ...]] = {
    "queues": (
        ("retry_delay_seconds", sa.Integer(), {"nullable": False, "server_default": "60"}),
        ("lease_seconds", sa.Integer(), {"nullable": False, "server_default": "300"}),
        ("unique_references", sa.Boolean(), {"nullable": False, "server_default": sa.false()}),
    ),
    "queue_items": (
        ("unique_key", sa.String(), {}),
        ("added_key", sa.String(), {}),
        ("rank", sa.Integer(), {"nullable": False, "server_default": "0"}),
        ("available_at", UTCDateTime(), {}),
        ("deadline_at", UTCDateTime(), {}),
        ("result_fingerprint", sa.String(), {}),
        ("failure_kind", sa.String(), {}),
        ("error_code", sa.String(), {}),
        ("claim_key", sa.String(), {}),
        ("job_attempt", sa.Integer(), {}),
        ("attempt", sa.Integer(), {"nullable": False, "server_default": "0"}),
        ("lease_hash", sa.String(), {}),
        ("lease_expires_at", UTCDateTime(), {}),
    ),
}
INDEXES: dict[str, tuple[list[str], str]] = {
    "ix_queue_items_ready": (["queue_id", "rank", "id"], "status = 'new' AND available_at IS NULL"),
    "ix_queue_items_waiting": (["available_at"], "status = 'new' AND available_at IS NOT NULL"),
    "ix_queue_items_job": (["job_id"], "status = 'in_progress'"),
    "ix_queue_items_deadline": (["deadline_at"], "status IN ('new', 'in_progress') AND deadline_at IS NOT NULL"),
    "uq_queue_items_unique_key": (["queue_id", "unique_key"], "unique_key IS NOT NULL"),
    "uq_queue_items_added_key": (["added_key"], "added_key IS NOT NULL"),
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for name, kind, options in columns:
            op.add_column(table, sa.Column(name, kind, **options))
    op.execute("UPDATE queue_items SET rank = -priority")
    op.drop_column("queue_items", "priority")
    for name, (keys, where) in INDEXES.items():
        condition, unique = sa.text(where), name.startswith("uq_")
        op.create_index(name, "queue_items", keys, unique=unique, postgresql_where=condition, sqlite_where=condition)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, table_name="queue_items")
    op.add_column("queue_items", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE queue_items SET priority = -rank")
    for table, columns in COLUMNS.items():
        for name, _, _ in columns:
            op.drop_column(table, name)
