"""Jobs and queue items that look like a month of use, made by SQLite itself. Nothing is random."""

from __future__ import annotations

from datetime import timedelta

from rows import SHA256, add_process, add_robots
from sqlalchemy import Connection, Engine, func, insert, select, text

from bvo.database import utcnow
from bvo_jobs.models import Job
from bvo_processes.models import Process
from bvo_queues.models import Queue

PROCESSES, ROBOTS, QUEUES = 20, 50, 5
MONTH_SECONDS = 30 * 24 * 3600
WAITING = 2_000
"""Of the newest jobs, so many are pending at most."""

NUMBERS = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < :rows) "
JOBS = f"""
INSERT INTO jobs (id, process_id, process_version, script_path, package_id, package_name, package_version,
                  package_sha256, robot_id, is_assigned, status, rank, max_attempts, retry_delay_seconds, attempt,
                  log_characters, parameters, created_at, started_at, finished_at)
{NUMBERS}
SELECT i, 1 + i % {PROCESSES}, 1, 'main.py', 1, 'report', '1.0.0', '{SHA256}',
       CASE WHEN waits THEN NULL ELSE 1 + (i * 7) % {ROBOTS} END, 0,
       CASE WHEN waits THEN 'pending' WHEN i % 23 = 0 THEN 'failed' WHEN i % 97 = 0 THEN 'canceled'
            ELSE 'completed' END,
       0, 1, 30, 1, 0, '{{"day": "2026-11-01"}}', made,
       CASE WHEN waits THEN NULL ELSE made END,
       CASE WHEN waits THEN NULL ELSE strftime('%Y-%m-%d %H:%M:%S.000000', made, (5 + i % 50) || ' seconds') END
FROM (SELECT i, i > :rows - min(:rows / 10, {WAITING}) AS waits,
             strftime('%Y-%m-%d %H:%M:%S.000000', :start, CAST(1.0 * i * {MONTH_SECONDS} / :rows AS integer)
             || ' seconds') AS made FROM s)
"""  # noqa: S608 - constants
ITEMS = f"""
INSERT INTO queue_items (queue_id, reference, status, rank, payload, retries, attempt, created_at, updated_at)
{NUMBERS}
SELECT 1 + i % {QUEUES}, 'ORD-' || i,
       CASE WHEN i % 10 < 6 THEN 'completed' WHEN i % 10 < 8 THEN 'new' WHEN i % 10 = 8 THEN 'failed'
            ELSE 'abandoned' END, 0, '{{"order": 1}}', 0, 0, :start, :start
FROM s
"""  # noqa: S608 - constants


def fill(engine: Engine, jobs: int) -> None:
    """So many jobs, a quarter as many queue items, and what they belong to; nothing where they are there already."""
    with engine.begin() as connection:
        if connection.scalar(select(func.count(Job.id))):
            return
        _base(connection)
        start = f"{utcnow() - timedelta(seconds=MONTH_SECONDS):%Y-%m-%d %H:%M:%S.000000}"
        connection.execute(text(JOBS), {"rows": jobs, "start": start})
        connection.execute(text(ITEMS), {"rows": max(1, jobs // 4), "start": start})


def _base(connection: Connection) -> None:
    add_process(connection)
    more = [
        {"name": f"Process {number}", "package_id": 1, "script_path": "main.py"} for number in range(2, PROCESSES + 1)
    ]
    connection.execute(insert(Process), more)
    add_robots(connection, ROBOTS)
    connection.execute(insert(Queue), [{"name": f"queue-{number}"} for number in range(1, QUEUES + 1)])
