"""storage settings"""

from __future__ import annotations

from alembic import op

revision = "audit_0003"
down_revision = "audit_0002"

SETTINGS = (
    "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,"
    " autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000"
)
NAMES = ", ".join(setting.split(" = ")[0] for setting in SETTINGS.split(", "))


def upgrade() -> None:
    """The log only grows, and loses its oldest rows: it is tended in small steps, not when a fifth of it has changed.

    Of ten million rows that would be two millions at once, which until then are read from the table as well as from
    the index, and frozen all together.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE audit_events SET ({SETTINGS})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE audit_events RESET ({NAMES})")
