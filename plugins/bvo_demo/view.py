"""What the demo shows in the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

LOG_LINES = 12


class Watching:
    """The progress of the job, with the runner's own lines above it."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._shown = 0

    def show(self, job: dict[str, Any], runner_output: str) -> None:
        lines = runner_output.split("\n")[:-1]
        for line in lines[self._shown :]:
            self._progress.console.print(Text(f"    {line}", style="dim"))
        self._shown = len(lines)
        told = job["progress"] or {}
        fraction = 1.0 if job["finished_at"] else told.get("fraction")
        words = told.get("message") or ""
        self._progress.update(
            self._task,
            total=1.0,
            completed=fraction or 0.0,
            description=f"Job {job['id']} is {job['status']}",
            words=words,
        )


class View:
    """Steps, progress and the result; nothing at all where `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(quiet=quiet, highlight=False)

    def say(self, text: str) -> None:
        self._console.print(text)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        with self._console.status(f"{title} …"):
            yield
        self._console.print(f"[green]✓[/] {title}")

    @contextmanager
    def watching(self) -> Iterator[Watching]:
        columns = (
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[words]}"),
        )
        with Progress(*columns, console=self._console) as progress:
            yield Watching(progress, progress.add_task("Waiting for the runner", total=1.0, words=""))

    def result(self, job: dict[str, Any], log: str, artifacts: list[dict[str, Any]], url: str) -> None:
        """The job's outcome, the end of its log, its files, and where to see it."""
        result = {key: value for key, value in (job["result"] or {}).items() if key != "logs"}
        completed = job["status"] == "completed"
        body = Text(json.dumps(result, indent=2, ensure_ascii=False)) if completed else Text(str(job["error_message"]))
        self._console.print(Panel(body, title=f"Result: {job['status']}", border_style="green" if completed else "red"))
        tail = "\n".join(log.splitlines()[-LOG_LINES:]) or "(nothing was printed)"
        self._console.print(Panel(Text(tail), title="Log", border_style="dim"))
        for artifact in artifacts:
            self._console.print(f"  Artifact  {artifact['name']} ({artifact['size_bytes']:,} bytes)")
        self._console.print(f"  In the web UI  {url}")
