"""Queues in PostgreSQL: Graphile Worker, pg-boss, and Procrastinate."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from .base import DatabasePeer, node, venv

CONCURRENCY = "24"


class Graphile(DatabasePeer):
    """In its default mode: one job at a time for each of 24 concurrent workers of one process."""

    name = "Graphile Worker"
    target = 1.2
    clear_sql = "TRUNCATE graphile_worker._private_jobs"
    fill_sql = "SELECT count(graphile_worker.add_job('noop', '{}'::json)) FROM generate_series(1, :count)"
    left_sql = "SELECT count(*) FROM graphile_worker._private_jobs"

    def install(self) -> str:
        return node(self, "graphile-worker")

    def prepare(self, database: str) -> None:
        super().prepare(database)
        self.run("node", "graphile.cjs", "prepare", database)

    def workers(self) -> list[list[str]]:
        return [["node", "graphile.cjs", "work", self.address, CONCURRENCY]]


class PgBoss(DatabasePeer):
    """Fetch and complete, one job at a time, in 24 loops of one process."""

    name = "pg-boss"
    target = 5
    tasks = 4_000
    clear_sql = "TRUNCATE pgboss.job"
    fill_sql = "INSERT INTO pgboss.job (name, data) SELECT 'noop', '{}' FROM generate_series(1, :count)"
    left_sql = "SELECT count(*) FROM pgboss.job WHERE name = 'noop' AND state < 'completed'"

    def install(self) -> str:
        return node(self, "pg-boss")

    def prepare(self, database: str) -> None:
        super().prepare(database)
        self.run("node", "pgboss.cjs", "prepare", database)

    def workers(self) -> list[list[str]]:
        return [["node", "pgboss.cjs", "work", self.address, CONCURRENCY]]


class Procrastinate(DatabasePeer):
    """Two worker processes, each with 12 concurrent jobs."""

    name = "Procrastinate"
    target = 5
    tasks = 6_000
    processes: ClassVar[int] = 2
    clear_sql = "TRUNCATE procrastinate_jobs CASCADE"
    fill_sql = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " SELECT 'default', 'noop', '{}' FROM generate_series(1, :count)"
    )
    left_sql = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"

    def install(self) -> str:
        self._bin, version = venv(self, "procrastinate", "psycopg[binary,pool]")
        return version

    def prepare(self, database: str) -> None:
        super().prepare(database)
        self.run(self._python, "procrastinate_worker.py", "prepare", database, "12")

    def workers(self) -> list[list[str]]:
        return [[str(self._python), "procrastinate_worker.py", "work", self.address, "12"]] * self.processes

    @property
    def _python(self) -> Path:
        return self._bin / "python"
