"""Do claims stay as fast as in a small, fresh table? Asked of a million jobs, after load, beside an old snapshot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import calls
import click
import rows
from claims import burst
from load import Load, Tally
from rounds import Figures, Plan, Report, figures, in_turns, options
from servers import Database, Server, Site, started
from sqlalchemy import Connection

from bvo.database import utcnow

ROBOTS, PENDING, WIDTH = 8_000, 10_000, 32
FRESH = "10,000 pending"
OFFLINE = 10
REFILL_SECONDS = 0.3


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much there is of everything. Seconds are those of the load before a claim is measured."""

    million: int = 1_000_000
    assigned: int = 100_000
    sustained: float = 60
    between: float = 5
    snapshot: float = 25


SMALL = Sizes(million=20_000, assigned=1_000, sustained=0.3, between=0.1, snapshot=0.3)


@dataclass
class State:
    """One database and its server, in the state whose claims are measured."""

    database: Database
    server: Server
    pending: int = PENDING
    load_seconds: float = 0
    held: Callable[[Database], AbstractContextManager[object]] = nullcontext
    tidy: bool = True

    def measure(self, seconds: float) -> Figures:
        """Claims per second in this state: fewer than are pending, so the state stays what it is."""
        with self.held(self.database):
            if self.load_seconds:
                keep_busy(self.database, self.server, self.load_seconds)
            rows.settle(self.database.engine, self.pending, tidy=self.tidy)
            return figures(burst(self.server, ROBOTS, seconds, WIDTH))


def keep_busy(database: Database, server: Server, seconds: float) -> None:
    """Let robots claim and complete jobs for so long, while about as many jobs stay pending."""
    rows.settle(database.engine, PENDING, tidy=False)
    over = threading.Event()
    filler = threading.Thread(target=_refill, args=(database, over))
    filler.start()
    try:
        tally = Tally()
        Load(server.port, tally).run([calls.cycles(robot, tally) for robot in calls.robots(WIDTH)], seconds)
    finally:
        over.set()
        filler.join()


def _refill(database: Database, over: threading.Event) -> None:
    while not over.wait(REFILL_SECONDS):
        with database.engine.begin() as connection:
            rows.add_jobs(connection, PENDING - rows.pending(connection))


@contextmanager
def old_snapshot(database: Database) -> Iterator[None]:
    """A transaction elsewhere that has read once and stays open: what dies meanwhile can't be cleared away."""
    with database.engine.connect() as connection:
        if database.kind == "postgresql":
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        else:
            connection.exec_driver_sql("BEGIN")
        rows.pending(connection)
        yield


def fresh(connection: Connection, sizes: Sizes) -> None:
    """Nothing more than what is pending."""


def finished(connection: Connection, sizes: Sizes) -> None:
    now = utcnow()
    rows.add_jobs(connection, sizes.million, status="completed", robot_id=1, started_at=now, finished_at=now, attempt=1)


def assigned(connection: Connection, sizes: Sizes) -> None:
    """Jobs at the head of the queue that wait for robots which are offline."""
    for number in range(1, OFFLINE + 1):
        rows.add_jobs(connection, sizes.assigned // OFFLINE, robot_id=ROBOTS + number, is_assigned=True, rank=-10)


def states(site: Site, kind: str, sizes: Sizes) -> dict[str, State]:
    """All states; those with many rows take about a minute to make."""

    known: list[tuple[Database, Server]] = []

    def made(fill: Callable[[Connection, Sizes], None], pending: int = PENDING) -> tuple[Database, Server]:
        if sizes is not SMALL or not known:  # a small run has one for all: it asks only whether all of this works
            database = site.database(kind, ROBOTS + OFFLINE)
            known.append((database, site.serve(database)))
        with known[-1][0].engine.begin() as connection:
            fill(connection, sizes)
        rows.settle(known[-1][0].engine, pending)
        return known[-1]

    return {
        FRESH: State(*made(fresh)),
        f"{sizes.million:,} pending": State(*made(fresh, sizes.million), pending=sizes.million),
        f"{sizes.assigned:,} of offline robots first": State(*made(assigned)),
        f"{sizes.million:,} finished": State(*made(finished)),
        f"after {sizes.sustained:g} s of load": State(*made(fresh), load_seconds=sizes.between, tidy=False),
        f"{sizes.snapshot:g} s beside an old snapshot": State(
            *made(fresh), load_seconds=sizes.snapshot, held=old_snapshot, tidy=False
        ),
    }


def compare(site: Site, plan: Plan, kind: str, report: Report) -> None:
    sizes = SMALL if plan.small else Sizes()
    known = states(site, kind, sizes)
    started(*(state.server for state in known.values()))
    loaded = known[f"after {sizes.sustained:g} s of load"]
    keep_busy(loaded.database, loaded.server, sizes.sustained)
    subjects = {f"{kind}: {name}": partial(state.measure, plan.seconds) for name, state in known.items()}
    report.subjects |= in_turns(subjects, plan.rounds, "Claiming")
    first, *others = subjects
    for name in others:
        report.ratio(f"{name} / {FRESH}", name, first, 0.5 if "snapshot" in name else 0.9)


@click.command()
@options(seconds=2, databases=("postgresql",))
def main(plan: Plan) -> None:
    """Show whether claims stay as fast as in a small, fresh table of 10,000 pending jobs.

    Beside it: a million pending; 100,000 jobs of offline robots at the head; a million finished; 60 s of load before
    (32 robots that claim and complete, and 5 s more before each round); and 25 s of such load while a transaction
    elsewhere holds its snapshot. Each has a database and a server of its own. Rows are made by SQL. After load
    nothing is vacuumed but by the database itself.

    \b
    Examples:
      python benchmarks/flat.py
      python benchmarks/flat.py --database sqlite --rounds 3
      python benchmarks/flat.py --small --json
    """
    report = plan.report(f"Claims per second, {WIDTH} robots at once")
    for kind in plan.databases:
        with Site() as site:
            compare(site, plan, kind, report)
    report.show(as_json=plan.as_json)


if __name__ == "__main__":
    main()
