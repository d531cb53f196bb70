"""Do the pages stay fast? Opens every page of the web UI over many rows, and over a hundredth of them.

The two are asked in turns, in one run on one machine. So the ratio tells whether a page gets slower as the tables grow,
however fast or busy the machine is. The time is the server's: from the request to the last byte, without a network.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import audit_rows
import click
import page_addresses
import page_rows
from flask.testing import FlaskClient
from rich.console import Console
from rich.table import Table

from bvo import create_app, migrations
from bvo.database import db
from bvo_jobs import hours

SMALLER = 100
AUDIT = 10
"""Rows of the audit log for each job."""
TARGET_MS = 50.0
HTML = {"Accept": "text/html"}


def site(folder: Path, jobs: int) -> FlaskClient:
    """An administrator's browser at an app with so many jobs, in a file of its own; one that is there is taken."""
    values: dict[str, Any] = {
        "BVO_DATABASE_URL": f"sqlite:///{folder / f'pages-{jobs}.db'}",
        "BVO_DATA_DIR": folder / f"data-{jobs}",
    }
    app = create_app(values)
    with app.app_context():
        migrations.upgrade()
    app = create_app(values)  # anew: in development, the start makes the first user
    with app.app_context():
        page_rows.fill(db.engine, jobs)
        page_rows.tell(db.engine, jobs)
        for _ in audit_rows.grow(db.engine, jobs * AUDIT):
            pass
        with db.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        for _ in range(1 + hours.KEPT // hours.HOUR // hours.BATCH):
            hours.summarise()
    client = app.test_client()
    answer = client.post("/ui/login", data={"username": "admin", "password": "admin123"})
    if answer.status_code != 302:
        raise click.ClickException(f"Signing in was answered with {answer.status}")
    return client


def milliseconds(client: FlaskClient, path: str) -> tuple[float, float]:
    """How long the page takes, and how much of that this process computes."""
    begun, computed = time.perf_counter(), time.process_time()
    answer = client.get(path, headers=HTML)
    _ = answer.data
    if answer.status_code != 200:
        raise click.ClickException(f"{path} was answered with {answer.status}")
    return (time.perf_counter() - begun) * 1000, (time.process_time() - computed) * 1000


def measure(small: FlaskClient, large: FlaskClient, jobs: int, repeat: int, step: int) -> list[dict[str, Any]]:
    """Open every `step`th page of both in turns.

    The first time warms what is cached: it counts only where it is the only one.
    """
    results = []
    few, many = (
        page_addresses.pages(client.application, rows)[::step]
        for client, rows in ((small, jobs // SMALLER), (large, jobs))
    )
    for of_small, of_large in zip(few, many, strict=True):
        taken: tuple[list[float], list[float], list[float]] = ([], [], [])
        for _ in range(repeat + (repeat > 1)):
            taken[0].append(milliseconds(small, of_small)[0])
            for times, value in zip(taken[1:], milliseconds(large, of_large), strict=True):
                times.append(value)
        counted = [times[1:] or times for times in taken]
        medians = [statistics.median(times) for times in counted]
        p95 = statistics.quantiles(counted[1], n=20, method="inclusive")[-1] if repeat > 1 else medians[1]
        figures = {"small_ms": medians[0], "large_ms": medians[1], "large_p95_ms": p95, "large_cpu_ms": medians[2]}
        rounded = {name: round(value, 1) for name, value in figures.items()}
        results.append({"page": of_large, **rounded, "ratio": round(medians[1] / medians[0], 2)})
    return results


def show(results: list[dict[str, Any]], jobs: int) -> None:
    title = f"Pages, in milliseconds: {jobs // SMALLER:,} jobs against {jobs:,}; p95 should be at most {TARGET_MS:.0f}"
    table = Table(title=title)
    table.add_column("page", overflow="fold")
    for heading in (f"{jobs // SMALLER:,}", f"{jobs:,}", "p95", "CPU", "ratio"):
        table.add_column(heading, justify="right")
    for result in results:
        figures = [f"{result[name]:.1f}" for name in ("small_ms", "large_ms", "large_p95_ms", "large_cpu_ms")]
        style = "red" if result["large_p95_ms"] > TARGET_MS else ""
        table.add_row(result["page"], *figures, f"{result['ratio']:.2f}", style=style)
    above = sum(result["large_p95_ms"] > TARGET_MS for result in results)
    console = Console(file=sys.stdout)
    console.print(table)
    console.print(f"{len(results)} pages, of which {above} are above {TARGET_MS:.0f} ms")


@click.command()
@click.option("--rows", default=1_000_000, show_default=True, type=click.IntRange(1000), help="How many jobs.")
@click.option("--repeat", default=20, show_default=True, type=click.IntRange(2), help="How often each page is opened.")
@click.option("--small", is_flag=True, help="1,000 jobs, and every 20th page once: tries it out, judges nothing.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the databases are kept for the next run. Left out: they are removed at the end.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object, instead of a table.")
def main(rows: int, repeat: int, small: bool, folder: Path | None, as_json: bool) -> None:
    """Show whether the pages stay fast: each with ROWS jobs and ten times as many audit events, and with a hundredth.

    \b
    Examples:
      python benchmarks/pages.py --folder /var/tmp/pages
      python benchmarks/pages.py --small

    A million jobs with their ten million audit events take some minutes to make, and 9 GB.
    """
    rows, repeat, step = (1000, 1, 20) if small else (rows, repeat, 1)
    with tempfile.TemporaryDirectory(prefix="bvo-benchmark-") as temporary:
        kept = folder or Path(temporary)
        kept.mkdir(parents=True, exist_ok=True)
        small_site, large_site = site(kept, rows // SMALLER), site(kept, rows)
        gc.freeze()  # as a web worker does: its app lives as long as the process
        results = measure(small_site, large_site, rows, repeat, step)
    if as_json:
        click.echo(json.dumps({"rows": rows, "repeat": repeat, "target_ms": TARGET_MS, "results": results}, indent=2))
    else:
        show(results, rows)


if __name__ == "__main__":
    main()
