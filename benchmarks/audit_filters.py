"""Does the audit log stay fast? Asks it everything that its filters can, in a long log and in one a hundredth as long.

The two are asked in turns, in one run on one machine. So the ratio tells whether an answer gets slower as the log
grows, however fast or busy the machine is.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import audit_rows
import click
from flask import Flask
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import create_engine, make_url
from sqlalchemy.schema import CreateSchema

from bvo import create_app, migrations
from bvo.database import db
from bvo.entities import fetch_page, query_schema
from bvo_audit.entities import AUDIT_EVENT

SMALLER = 100
PROGRESS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def questions(rows: int) -> dict[str, dict[str, Any]]:
    """What is asked of a log with so many rows: the name of the question, and its query parameters."""

    def at(share: float) -> str:
        return (audit_rows.FIRST + audit_rows.APART * (rows * share)).isoformat()

    old = {"from_time": at(0.10), "to_time": at(0.11)}
    return {
        "newest": {},
        "page 3": {"page": 3},
        "page 201, the last one by number": {"page": 201},
        "by cursor, in the middle": {"after": rows // 2},
        "old range": old,
        "until long ago": {"to_time": at(0.10)},
        "since long ago": {"from_time": at(0.10)},
        "range without events": {"from_time": at(2)},
        "user": {"user": "user-150"},
        "user, by cursor": {"user": "user-150", "after": rows // 2},
        "user, frequent": {"user": "robot-0"},
        "user, rare": {"user": "rare-user"},
        "user, none": {"user": "nobody"},
        "user_id": {"user_id": 150},
        "action": {"action": "job.create"},
        "action, rare": {"action": "settings.update"},
        "action_type": {"action_type": "modified"},
        "action_type, none": {"action_type": "denied"},
        "entity_type": {"entity_type": "machine"},
        "entity_type, rare": {"entity_type": "settings"},
        "entity_type and entity_id": {"entity_type": "job", "entity_id": "444877"},
        "entity_type and entity_id, frequent": {"entity_type": "robot", "entity_id": "7"},
        "entity_id": {"entity_id": "444877"},
        "user, old range": {"user": "user-150", **old},
        "action_type, old range": {"action_type": "modified", **old},
        "entity_type, old range": {"entity_type": "machine", **old},
        "user and action": {"user": "user-150", "action": "role.update"},
        "user and action_type, none": {"user": "robot-0", "action_type": "denied"},
        "user and action, both frequent": {"user": "robot-0", "action": "job.create"},
        "action and entity_type, none": {"action": "job.create", "entity_type": "machine"},
        "search": {"search": "thing number"},
        "search, rare": {"search": "needle"},
        "search, none": {"search": "nowhere to be found"},
        "search, old range": {"search": "nowhere to be found", **old},
    }


def log_of(url: str, folder: Path, rows: int, progress: Progress) -> Flask:
    """An app whose audit log has so many rows, in a file or a schema of its own; one that is there already is taken."""
    if url:
        schema = f"audit_{rows}"
        with create_engine(url).begin() as connection:
            connection.execute(CreateSchema(schema, if_not_exists=True))
        own = make_url(url).update_query_dict({"options": f"-csearch_path={schema}"})
        address = own.render_as_string(hide_password=False)
    else:
        address = f"sqlite:///{folder / f'audit-{rows}.db'}"
    app = create_app({"BVO_DATABASE_URL": address, "BVO_DATA_DIR": folder / "data"})
    with app.app_context():
        migrations.upgrade()
    with app.app_context():
        task = progress.add_task(f"Making {rows:,} rows", total=rows)
        for made in audit_rows.grow(db.engine, rows):
            progress.update(task, completed=made)
        progress.update(task, completed=rows)
    return app


def seconds(app: Flask, parameters: dict[str, Any]) -> float:
    """How long one page takes, from its query parameters to its rows."""
    arguments = query_schema(AUDIT_EVENT).load({name: str(value) for name, value in parameters.items()})
    with app.app_context():
        started = time.perf_counter()
        fetch_page(AUDIT_EVENT, arguments)
        return time.perf_counter() - started


def measure(logs: dict[int, Flask], repeat: int, progress: Progress) -> list[dict[str, Any]]:
    """Ask every question of both logs in turns; the first time, which warms what is cached, is not counted."""
    small, large = sorted(logs)
    asked = {rows: questions(rows) for rows in logs}
    task = progress.add_task("Asking", total=len(asked[large]))
    results = []
    for name in asked[large]:
        taken: dict[int, list[float]] = {small: [], large: []}
        for _ in range(repeat + 1):
            for rows, app in logs.items():
                taken[rows].append(seconds(app, asked[rows][name]))
        medians = {rows: statistics.median(times[1:]) for rows, times in taken.items()}
        p95 = statistics.quantiles(taken[large][1:], n=20, method="inclusive")[-1]
        shown = {"small_ms": medians[small], "large_ms": medians[large], "large_p95_ms": p95}
        times = {key: round(value * 1000, 2) for key, value in shown.items()}
        results.append({"question": name, **times, "ratio": round(medians[large] / medians[small], 2)})
        progress.advance(task)
    return results


def show(results: list[dict[str, Any]], rows: int, console: Console) -> None:
    table = Table(title=f"One page of the audit log, in milliseconds: {rows // SMALLER:,} rows against {rows:,}")
    table.add_column("question")
    for heading in (f"{rows // SMALLER:,}", f"{rows:,}", "p95", "ratio"):
        table.add_column(heading, justify="right")
    for result in results:
        figures = (result["small_ms"], result["large_ms"], result["large_p95_ms"])
        table.add_row(result["question"], *(f"{figure:.1f}" for figure in figures), f"{result['ratio']:.2f}")
    console.print(table)


@click.command()
@click.option("--rows", default=1_000_000, show_default=True, type=click.IntRange(1000), help="Rows of the long log.")
@click.option("--repeat", default=20, show_default=True, type=click.IntRange(2), help="How often each is asked.")
@click.option("--database-url", default="", help="A PostgreSQL database to use. Left out: SQLite.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the SQLite files are kept for the next run. Left out: they are removed at the end.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object, instead of a table.")
def main(rows: int, repeat: int, database_url: str, folder: Path | None, as_json: bool) -> None:
    """Show whether the audit log stays fast: each filter in a log of ROWS rows, and in one a hundredth as long.

    A ratio near 1 means that the length of the log does not matter. Some are above: a log that is shorter than what
    one answer looks through (15,000 events) has less to read. What counts is that they grow no further.

    \b
    Examples:
      python benchmarks/audit_filters.py
      python benchmarks/audit_filters.py --rows 10000000 --folder /var/tmp/audit
      python benchmarks/audit_filters.py --database-url postgresql+psycopg://me@localhost/benchmark --json

    Ten million rows take some minutes to make and 7 GB. In PostgreSQL they are made in two schemas of their own,
    audit_<rows>, which stay for the next run; DROP SCHEMA ... CASCADE removes them.
    """
    with tempfile.TemporaryDirectory(prefix="bvo-benchmark-") as temporary:
        kept = folder or Path(temporary)
        kept.mkdir(parents=True, exist_ok=True)
        with Progress(*PROGRESS, console=Console(stderr=True)) as progress:
            logs = {count: log_of(database_url, kept, count, progress) for count in (rows // SMALLER, rows)}
            results = measure(logs, repeat, progress)
    if as_json:
        click.echo(json.dumps({"rows": rows, "repeat": repeat, "results": results}, indent=2))
    else:
        show(results, rows, Console(file=sys.stdout))


if __name__ == "__main__":
    main()
