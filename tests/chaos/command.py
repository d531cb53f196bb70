"""The fire, by hand: `python tests/chaos --faults 5000 --seed 7 --database postgres --json report.json`."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from .databases import Postgres, Sqlite
from .faults import Fault
from .fire import Report, burn
from .stage import Stage
from .terms import Terms
from .world import World

COLUMNS = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
LINE_EVERY = 60
"""Seconds: where no terminal shows the bar, a line tells how far it is."""
VIOLATED, BROKEN = 1, 3
"""Exit codes: something did not hold; the run itself failed. Wrong options are 2."""


@click.command(context_settings={"show_default": True})
@click.option("--faults", "count", default=500, type=click.IntRange(1), help="How many are injected.")
@click.option("--seed", default="", help="What faults and load are drawn from. Default: a new one.")
@click.option("--database", default="sqlite", type=click.Choice(["sqlite", "postgres"]))
@click.option("--lane/--no-lane", default=True, help="As BVO_RUNNER_LANE.")
@click.option("--bug", default="", help="One of the planted bugs: the run should find it.")
@click.option("--folder", type=click.Path(path_type=Path), help="An empty one. Kept if anything does not hold.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Where the report is written to.")
def main(count: int, seed: str, folder: Path | None, file: Path | None, **how: Any) -> None:
    """Run server, worker, runners and load, inject faults, and check what must hold.

    Exit code 0: all of it held; 1: it did not; 2: wrong options; 3: the run itself failed.
    """
    seed = seed or secrets.token_hex(4)
    console = Console(stderr=True, highlight=False)
    again = f"python tests/chaos --faults {count} --seed {seed} --database {how['database']}"
    again += f" --bug {how['bug']}" if how["bug"] else ""
    again += "" if how["lane"] else " --no-lane"
    console.print(f"Seed {seed}. To repeat it:\n  {again}")
    given, folder = folder, folder or Path(tempfile.mkdtemp(prefix="bvo-chaos-"))
    try:
        found = _run(count, seed, folder, console, **how)
    except Exception:
        console.print_exception()
        console.print(f"The run failed. What everybody did and said is in {folder}.")
        sys.exit(BROKEN)
    _tell(found, console)
    if file:
        file.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    if found.violations:
        console.print(f"What everybody did and said is in {folder}.\nTo repeat it:\n  {again}")
        sys.exit(VIOLATED)
    if not given:
        shutil.rmtree(folder, ignore_errors=True)


def _run(count: int, seed: str, folder: Path, console: Console, *, database: str, **terms: Any) -> Report:
    with Stage(folder) as stage, ExitStack() as ends:
        made = Sqlite(stage) if database == "sqlite" else ends.enter_context(Postgres(stage))
        world = ends.enter_context(World(stage, made, Terms(**terms)))
        progress = ends.enter_context(Progress(*COLUMNS, console=console, disable=not console.is_terminal))
        return burn(world, seed, count, _Follower(console, progress, count))


class _Follower:
    """Shows how far the run is: in a bar, or in a line now and then."""

    def __init__(self, console: Console, progress: Progress, count: int) -> None:
        self._console, self._progress, self._count = console, progress, count
        self._task = progress.add_task("faults", total=count)
        self._done, self._next = 0, time.monotonic() + LINE_EVERY
        self._lock = threading.Lock()

    def __call__(self, fault: Fault) -> None:
        with self._lock:
            self._done += 1
            self._progress.update(self._task, completed=self._done, description=fault.kind)
            if not self._console.is_terminal and time.monotonic() > self._next:
                self._next = time.monotonic() + LINE_EVERY
                self._console.print(f"{time.strftime('%H:%M:%S')}  {self._done} of {self._count} faults")


def _tell(found: Report, console: Console) -> None:
    for name, value in asdict(found).items():
        if name != "violations":
            console.print(f"{name:>18}  {value}")
    console.print(f"{'violations':>18}  {len(found.violations)}", style="red" if found.violations else "green")
    for violation in found.violations[:50]:
        console.print(f"  {violation['invariant']}: {violation['words']}", style="red", markup=False)
