"""storage settings of the outbox"""

from __future__ import annotations

from alembic import op

revision = "core_0005"
down_revision = "core_0004"

SETTINGS = (
    "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,"
    " autovacuum_analyze_scale_factor = 0.2"
)
NAMES = ", ".join(setting.split(" = ")[0] for setting in SETTINGS.split(", "))


def upgrade() -> None:
    """A row of the outbox changes twice and leaves dead entries where workers look for the next: clean up often."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE outbox SET ({SETTINGS})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE outbox RESET ({NAMES})")
