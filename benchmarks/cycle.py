"""The busy robot's cycle, report a result and get the next job, beside other products that hand out jobs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import calls
import click
import rows
from load import Load, Script, Tally
from peers.base import Missing, Peer
from peers.celery_peer import CeleryRedis
from peers.postgres_peers import Graphile, PgBoss, Procrastinate
from peers.prefect_peer import Prefect
from rounds import Figures, Plan, Report, figures, in_turns, options
from servers import Database, Server, Site

PEERS: dict[str, type[Peer]] = {
    "graphile": Graphile,
    "procrastinate": Procrastinate,
    "celery": CeleryRedis,
    "pgboss": PgBoss,
    "prefect": Prefect,
}
OURS = "bvo serve"


def cycle(database: Database, server: Server, width: int, jobs: int, seconds: float, *, confirms: bool) -> Figures:
    """Jobs completed per second by robots that are always busy."""
    rows.settle(database.engine, jobs)
    tally = Tally()
    scripts: list[Script] = [calls.cycles(robot, tally, confirms=confirms) for robot in calls.robots(width)]
    found = figures(Load(server.port, tally, server.cpu_seconds).run(scripts, seconds))
    if rows.count(database.engine, "pending") == 0:
        raise click.ClickException("The jobs ran out. Give more with --jobs.")
    return found


@contextmanager
def installed(names: list[str], folder: Path, site: Site, report: Report) -> Iterator[list[Peer]]:
    """The peers that can be had here, ready to be measured; the report names the others, and why."""
    ready: list[Peer] = []
    with ExitStack() as stack:
        for name in names:
            peer = PEERS[name](folder)
            stack.callback(peer.close)
            try:
                version = peer.install()
                peer.prepare(site.cluster.create(f"peer_{name}").replace("+psycopg", ""))
            except Missing as reason:
                report.notes.append(f"{peer.name} is MISSING here: {reason}.")
                continue
            report.notes.append(f"{peer.name} {version}, with {peer.tasks:,} pending at first")
            ready.append(peer)
        yield ready


def ours(site: Site, plan: Plan, kind: str, robots: int, jobs: int) -> dict[str, Callable[[], Figures]]:
    """Our server, as the peers are asked; and with each claim confirmed, as `bvo runner` does by default."""
    database = site.database(kind, robots)
    server = site.serve(database)
    server.wait()
    measure = partial(cycle, database, server, robots, jobs, plan.seconds)
    return {
        f"{OURS}, {kind}": partial(measure, confirms=False),
        f"{OURS}, {kind}, confirmed": partial(measure, confirms=True),
    }


def chosen(context: click.Context, option: click.Parameter, value: str) -> list[str]:
    names = list(PEERS) if value == "all" else [] if value == "none" else value.split(",")
    if unknown := set(names) - set(PEERS):
        raise click.BadParameter(f"there is no peer {', '.join(sorted(unknown))}: choose from {', '.join(PEERS)}")
    return names


@click.command()
@options(seconds=4, databases=("postgresql",))
@click.option("--robots", default=32, show_default=True, type=click.IntRange(1), help="Robots that are always busy.")
@click.option("--jobs", default=40_000, show_default=True, type=click.IntRange(100), help="Pending jobs.")
@click.option(
    "--peers", default="all", show_default=True, callback=chosen, help=f"`none`, or some of {', '.join(PEERS)}."
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the peers are installed and kept for the next run. Left out: removed at the end.",
)
def main(plan: Plan, robots: int, jobs: int, peers: list[str], folder: Path | None) -> None:
    """Show how many jobs a second busy robots complete, beside other products on the same machine.

    A robot reports a result and gets the next job, over HTTP, with the event log. The peers run in their usual
    mode, one job at a time, a task that does nothing, in workers beside their database: the same PostgreSQL
    server, which waits for the disk at each commit. They are installed by npm and pip into a folder of their own;
    Node.js and redis-server must be there. docs/performance.md says what each of them does less, or more.

    \b
    Examples:
      python benchmarks/cycle.py --folder /var/tmp/peers
      python benchmarks/cycle.py --peers graphile,celery --rounds 3
      python benchmarks/cycle.py --peers none --database sqlite
      python benchmarks/cycle.py --small --json
    """
    report = plan.report(f"Jobs completed per second, {robots} robots")
    with tempfile.TemporaryDirectory(prefix="bvo-benchmark-peers-") as temporary, Site() as site:
        home = (folder or Path(temporary)).resolve()
        home.mkdir(parents=True, exist_ok=True)
        with installed([] if plan.small else peers, home, site, report) as ready:
            subjects: dict[str, Callable[[], Figures]] = {}
            for kind in plan.databases:
                subjects |= ours(site, plan, kind, robots, 10_000 if plan.small else jobs)
            subjects |= {peer.name: partial(alone, peer, plan.seconds) for peer in ready}
            report.subjects |= in_turns(subjects, plan.rounds, "Working")
        for peer in ready:
            for kind in plan.databases:
                subject = f"{OURS}, {kind}"
                report.ratio(f"{subject} / {peer.name}", subject, peer.name, peer.target)
    report.show(as_json=plan.as_json)


def alone(peer: Peer, seconds: float) -> Figures:
    return {"rate": peer.rate(seconds)}


if __name__ == "__main__":
    main()
