"""Rows by the hundred thousand, made by the database itself: the API would need an hour."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Integer, func, insert, literal, select, text, update

from bvo import tokens
from bvo.database import utcnow
from bvo_jobs.models import Job
from bvo_packages.models import Package
from bvo_processes.models import Process
from bvo_robots.models import Robot

SHA256 = "0" * 64
DAY = timedelta(days=1)


def robot_token(number: int) -> str:
    return f"bvor_benchmark-{number}"


def add_process(connection: Connection) -> None:
    """The package and the process, both with the id 1, of all jobs."""
    package = {"name": "report", "version": "1.0.0", "scripts": ["main.py"], "sha256": SHA256, "size_bytes": 1000}
    connection.execute(insert(Package), [package])
    connection.execute(insert(Process), [{"name": "Daily report", "package_id": 1, "script_path": "main.py"}])


def add_robots(connection: Connection, count: int, **values: Any) -> None:
    """Robots with the ids 1, 2, ... that are online, and stay so for a day without a heartbeat."""
    seen = {"status": "online", "last_heartbeat": utcnow() + DAY, **values}
    rows = [
        {"name": f"robot-{number}", "api_token_hash": tokens.digest(robot_token(number)), **seen}
        for number in range(1, count + 1)
    ]
    if rows:
        connection.execute(insert(Robot), rows)


def add_jobs(connection: Connection, count: int, **values: Any) -> None:
    """So many jobs, pending and for any robot where `values` do not say otherwise."""
    if count <= 0:
        return
    first = select(literal(1, Integer).label("n")).cte("numbers", recursive=True)
    numbers = first.union_all(select(first.c.n + 1).where(first.c.n < count))
    columns: dict[str, Any] = {
        "process_id": 1,
        "process_version": 1,
        "script_path": "main.py",
        "package_id": 1,
        "package_name": "report",
        "package_version": "1.0.0",
        "package_sha256": SHA256,
        "parameters": {"day": "2026-11-01"},
        **values,
    }
    made = [literal(value, Job.__table__.c[name].type) for name, value in columns.items()]
    connection.execute(insert(Job).from_select(list(columns), select(*made).select_from(numbers)))


def settle(engine: Engine, wanted: int, *, tidy: bool = True) -> None:
    """Make the database ready for the next round: nobody runs anything, and `wanted` jobs may be claimed.

    `tidy` vacuums, too; else that is left to the database.
    """
    running = Job.status == "running"
    with engine.begin() as connection:
        connection.execute(update(Job).where(running).values(status="completed", finished_at=utcnow()))
        add_jobs(connection, wanted - pending(connection))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in _TIDY[engine.dialect.name] if tidy else ():
            connection.exec_driver_sql(statement)


def pending(connection: Connection) -> int:
    """How many jobs anybody may claim."""
    query = select(func.count(Job.id)).where(Job.status == text("'pending'"), Job.robot_id.is_(None))
    return connection.scalar(query) or 0


_TIDY = {
    "postgresql": ("VACUUM (ANALYZE) jobs", "ANALYZE robots"),
    "sqlite": ("PRAGMA wal_checkpoint(TRUNCATE)",),
}


def count(engine: Engine, status: str) -> int:
    """How many jobs have this status."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count(Job.id)).where(Job.status == status)) or 0
