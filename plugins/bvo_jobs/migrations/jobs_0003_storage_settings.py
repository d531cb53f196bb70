"""storage settings"""

from __future__ import annotations

from alembic import op

revision = "jobs_0003"
down_revision = "jobs_0002"

SETTINGS = (
    "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,"
    " autovacuum_analyze_scale_factor = 0.2"
)
STATISTICS = {
    "ix_jobs_status": "1000000 200000 1",
    "ix_jobs_robot": "1000000 100000 1",
    "ix_jobs_open": "10000 5000 1",
    "ix_jobs_assigned": "10000 100 50 1",
}
"""As ANALYZE writes them: how many rows an index has, and how many share its first column, its first two, …"""
NAMES = ", ".join(setting.split(" = ")[0] for setting in SETTINGS.split(", "))


def upgrade() -> None:
    """A row of jobs changes four times and leaves dead entries in the indexes that claims walk: clean up often.

    SQLite is told that a status, or a robot, tells little, as in every database with a history: it would sort all
    pending jobs for each claim, where the index of the open ones has them in order.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE jobs SET ({SETTINGS})")
    else:
        op.execute("ANALYZE jobs")
        op.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'jobs'")
        for index, statistics in STATISTICS.items():
            op.execute(f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('jobs', '{index}', '{statistics}')")  # noqa: S608


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE jobs RESET ({NAMES})")
    else:
        op.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'jobs'")
