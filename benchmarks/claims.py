"""How fast are claims over HTTP, beside a database that is given the same rows and nothing else?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import calls
import click
import raw
import rows
from load import Load, Run, Tally
from rounds import Figures, Plan, Report, figures, in_turns, options
from servers import Database, Server, Site, started

CONNECTIONS = (4, 8, 16, 32)
BUSY = "database is locked"
LONGEST_MS = 250
VARIANTS: dict[str, dict[str, Any]] = {"lane": {}, "no-lane": {"BVO_RUNNER_LANE": "off"}, "wsgi": {"plain": True}}


def burst(server: Server, robots: int, seconds: float, width: int) -> Run:
    """Claims for one robot after the other over `width` connections, until the time or the robots are over."""
    tally = Tally()
    wanted = iter([robot.next_job(1, confirms=True) for robot in calls.robots(robots)])
    load = Load(server.port, tally, server.cpu_seconds)
    return load.run([calls.claims(wanted, tally) for _ in range(width)], seconds)


@dataclass(frozen=True, kw_only=True)
class Claims:
    """One database: its server, and the same without a server."""

    site: Site
    plan: Plan
    kind: str
    jobs: int
    width: int

    def compare(self, variants: tuple[str, ...], report: Report) -> None:
        databases = {variant: self._filled() for variant in variants}
        servers = {variant: self.site.serve(databases[variant], **VARIANTS[variant]) for variant in variants}
        started(*servers.values())
        burst(servers[variants[0]], 1, 0.1, 1)
        opponent, measure = self._opponent(raw.Texts.of(databases[variants[0]]))
        subjects: dict[str, Callable[[], Figures]] = {
            f"{self.kind}, {variant}": partial(self._served, databases[variant], servers[variant])
            for variant in variants
        }
        found = in_turns({**subjects, opponent: measure}, self.plan.rounds, "Claiming")
        report.subjects |= found
        for subject in subjects:
            self._judge(report, subject, opponent)

    def _judge(self, report: Report, subject: str, opponent: str) -> None:
        report.ratio(f"{subject} / {opponent}", subject, opponent, 0.5)
        if self.kind == "sqlite":
            report.limit(f"{subject}: BUSY errors", report.subjects[subject]["busy"], 0)
            report.limit(f"{subject}: longest wait, ms", report.subjects[subject]["longest_ms"], LONGEST_MS)

    def _filled(self) -> Database:
        database = self.site.database(self.kind, self.jobs)
        rows.settle(database.engine, self.jobs)
        return database

    def _served(self, database: Database, server: Server) -> Figures:
        rows.settle(database.engine, self.jobs)
        before = server.log().count(BUSY)
        found = figures(burst(server, self.jobs, self.plan.seconds, self.width))
        return found | {"busy": server.log().count(BUSY) - before} if self.kind == "sqlite" else found

    def _opponent(self, texts: raw.Texts) -> tuple[str, Callable[[], Figures]]:
        """The same rows written without a server: its name, and how one round of it is measured."""
        database = self._filled()
        if self.kind == "sqlite":
            return "sqlite3 in a loop", partial(self._alone, database, partial(raw.sqlite_loop, database, texts))
        bench = {count: partial(raw.pgbench, database, texts, self.site.folder, count) for count in CONNECTIONS}
        tried = bench if not self.plan.small else {8: bench[8]}
        found = {count: self._alone(database, measure, 1)["rate"] for count, measure in tried.items()}
        best = max(found, key=lambda count: found[count])
        return f"pgbench, {best} connections", partial(self._alone, database, bench[best])

    def _alone(self, database: Database, measure: Callable[[float], Figures], seconds: float | None = None) -> Figures:
        rows.settle(database.engine, self.jobs)
        found = measure(seconds or self.plan.seconds)
        if rows.count(database.engine, "running") != found.pop("done"):
            raise click.ClickException("Jobs or robots ran out. Give more with --jobs.")
        return found


@click.command()
@options(seconds=3)
@click.option("--robots", default=32, show_default=True, type=click.IntRange(1), help="Robots that claim at once.")
@click.option("--jobs", default=40_000, show_default=True, type=click.IntRange(100), help="Pending jobs, and robots.")
@click.option(
    "--variant",
    "variants",
    multiple=True,
    default=("lane",),
    show_default=True,
    type=click.Choice(list(VARIANTS)),
    help="How the server answers: ahead of Flask, by Flask (BVO_RUNNER_LANE=off), or by Flask in any WSGI server.",
)
def main(plan: Plan, robots: int, jobs: int, variants: tuple[str, ...]) -> None:
    """Show how fast robots claim over HTTP, beside the same rows written without a server.

    Each claim is one durable transaction: the robot's token, its slot, the lease, the job, and a row in the event
    log, which is the audit log and the outbox. pgbench runs all of it as one prepared statement, with as many
    connections as are best; the loop around sqlite3 has synchronous=FULL, as the server. The server's worker delivers
    the events meanwhile.

    \b
    Examples:
      python benchmarks/claims.py
      python benchmarks/claims.py --database sqlite --variant lane --variant no-lane --variant wsgi
      python benchmarks/claims.py --small --json
    """
    report = plan.report(f"Claims per second, {robots} robots at once")
    with Site() as site:
        for kind in plan.databases:
            claims = Claims(site=site, plan=plan, kind=kind, jobs=20_000 if plan.small else jobs, width=robots)
            claims.compare(variants, report)
    report.show(as_json=plan.as_json)


if __name__ == "__main__":
    main()
