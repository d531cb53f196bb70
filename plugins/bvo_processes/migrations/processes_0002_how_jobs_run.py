"""how the jobs of a process run"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "processes_0002"
down_revision = "processes_0001"

COLUMNS: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("timeout_seconds", sa.Integer(), {}),
    ("max_attempts", sa.Integer(), {"nullable": False, "server_default": "1"}),
    ("retry_delay_seconds", sa.Integer(), {"nullable": False, "server_default": "30"}),
    ("max_running_jobs", sa.Integer(), {}),
)


def upgrade() -> None:
    for name, kind, options in COLUMNS:
        op.add_column("processes", sa.Column(name, kind, **options))


def downgrade() -> None:
    for name, _, _ in COLUMNS:
        op.drop_column("processes", name)
