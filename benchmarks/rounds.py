"""Rounds in turns, their medians, and what they are judged by. One form for all programs."""

from __future__ import annotations

import functools
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import click
from load import Run
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

PROGRESS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
Figures = dict[str, float]
Main = Callable[..., None]
SMALL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One figure beside its target. `met` is None where nothing is judged: a short run tells nothing."""

    what: str
    value: float
    target: float
    at_least: bool
    met: bool | None

    def row(self) -> tuple[str, str, str, str]:
        words = {True: "met", False: "MISSED", None: "not judged"}[self.met]
        return self.what, shown(self.value), f"{'≥' if self.at_least else '≤'} {self.target:g}", words


@dataclass
class Report:
    """What a program has found: the medians of each subject, what is judged, and words about the rest."""

    title: str
    rounds: int
    small: bool
    subjects: dict[str, Figures] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def ratio(self, what: str, subject: str, other: str, target: float, figure: str = "rate") -> None:
        """Judge the ratio of two medians: it should be at least `target`. Nothing where one of them is missing."""
        if subject in self.subjects and other in self.subjects:
            value = self.subjects[subject][figure] / (self.subjects[other][figure] or float("inf"))
            self._judge(what, value, target, at_least=True)

    def limit(self, what: str, value: float, most: float) -> None:
        """Judge a figure that should be `most` at most."""
        self._judge(what, value, most, at_least=False)

    def show(self, *, as_json: bool) -> None:
        if as_json:
            click.echo(json.dumps(asdict(self), indent=2))
            return
        console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140)
        if self.subjects:
            console.print(self._figures())
        if self.judged:
            console.print(self._targets())
        for note in self.notes:
            console.print(f"- {note}", highlight=False)

    def _judge(self, what: str, value: float, target: float, *, at_least: bool) -> None:
        met = None if self.small else (value >= target if at_least else value <= target)
        self.judged.append(Judged(what=what, value=round(value, 3), target=target, at_least=at_least, met=met))

    def _figures(self) -> Table:
        names = list(dict.fromkeys(name for figures in self.subjects.values() for name in figures))
        table = Table(title=f"{self.title}: medians of {self.rounds} round{'s' * (self.rounds > 1)} in turns")
        table.add_column("")
        for name in names:
            table.add_column(name.replace("_", " "), justify="right")
        for subject, figures in self.subjects.items():
            table.add_row(subject, *(shown(figures[name]) if name in figures else "" for name in names))
        return table

    def _targets(self) -> Table:
        table = Table(title="Targets")
        for name in ("", "found", "target", ""):
            table.add_column(name, justify="left" if not name else "right")
        for judged in self.judged:
            table.add_row(*judged.row())
        return table


def in_turns(subjects: Mapping[str, Callable[[], Figures]], rounds: int, words: str) -> dict[str, Figures]:
    """Measure each subject once in each round, so that what disturbs the machine hits all; returns medians.

    The first round, which warms what is cached, is not counted, unless it is the only one.
    """
    taken: dict[str, list[Figures]] = {name: [] for name in subjects}
    all_rounds = rounds + (rounds > 1)
    with progress() as bar:
        task = bar.add_task(words, total=all_rounds * len(subjects))
        for _ in range(all_rounds):
            for name, measure in subjects.items():
                bar.update(task, description=f"{words}: {name}")
                taken[name].append(measure())
                bar.advance(task)
    return {name: medians(found[-rounds:]) for name, found in taken.items()}


def medians(found: Sequence[Figures]) -> Figures:
    return {name: round(statistics.median(each[name] for each in found), 3) for name in found[0]}


def figures(run: Run) -> Figures:
    """What is shown of a run of the load generator: its rate, and CPU time per request of server and generator."""
    done = max(run.done, 1)
    return {
        "rate": run.rate,
        "server_cpu_µs": run.server_seconds / done * 1e6,
        "load_cpu_µs": run.own_seconds / done * 1e6,
        "p50_ms": run.quantile(0.5),
        "p99_ms": run.quantile(0.99),
        "longest_ms": run.quantile(1),
        "refused": run.refused.total(),
    }


def progress() -> Progress:
    return Progress(*PROGRESS, console=Console(stderr=True))


def shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What every program is told. A small plan goes through everything once, and quickly."""

    rounds: int
    seconds: float
    databases: tuple[str, ...]
    small: bool
    as_json: bool

    def report(self, title: str) -> Report:
        return Report(title, self.rounds, self.small)


def options(*, seconds: float, databases: tuple[str, ...] = ("postgresql", "sqlite")) -> Callable[[Main], Main]:
    """The options that all programs have: the program gets them as `plan`, beside those of its own."""

    def decorate(main: Main) -> Main:
        @functools.wraps(main)
        def planned(rounds: int, seconds: float, small: bool, **own: Any) -> None:
            names = {"databases": own.pop("databases"), "as_json": own.pop("as_json")}
            rounds, seconds = (1, min(seconds, SMALL_SECONDS)) if small else (rounds, seconds)
            main(plan=Plan(rounds=rounds, seconds=seconds, small=small, **names), **own)

        function: Any = planned
        for option in reversed(_common(seconds, databases)):
            function = option(function)
        return cast(Main, function)

    return decorate


def _common(seconds: float, databases: tuple[str, ...]) -> list[Callable[[Any], Any]]:
    several: dict[str, Any] = {"multiple": True, "show_default": True, "type": click.Choice(["postgresql", "sqlite"])}
    positive = click.FloatRange(0.1)
    return [
        click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Rounds in turns."),
        click.option("--seconds", default=seconds, show_default=True, type=positive, help="Length of a round."),
        click.option("--database", "databases", default=databases, help="Which; may be given again.", **several),
        click.option("--small", is_flag=True, help="Go through everything once, quickly, and judge nothing."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, one object, instead of tables."),
    ]
