"""How fast are heartbeats, beside a view of the same server that does nothing?"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import calls
import click
import rows
from load import Load, Script, Tally
from rounds import Figures, Plan, Report, figures, in_turns, options
from servers import Site

NOOP = Path(__file__).parent / "noop"


def noop_plugin(site: Site, kind: str) -> str:
    """A PYTHONPATH on which a server finds the plugin with the view that does nothing."""
    information = site.folder / f"plugins-{kind}" / "bvo_noop-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: bvo-noop\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[bvo.plugins]\nnoop = bvo_noop\n")
    return f"{information.parent}:{NOOP}"


def compare(site: Site, plan: Plan, kind: str, robots: int, report: Report) -> None:
    database = site.database(kind, robots)
    server = site.serve(database, PYTHONPATH=noop_plugin(site, kind))
    server.wait()

    def run(script: Callable[[calls.Robot, Tally], Script]) -> Figures:
        rows.settle(database.engine, robots)
        tally = Tally()
        load = Load(server.port, tally, server.cpu_seconds)
        return figures(load.run([script(robot, tally) for robot in calls.robots(robots)], plan.seconds))

    scripts = {"view that does nothing": nothing, "heartbeats": idle, "heartbeats that keep a job": working}
    subjects = {f"{kind}: {name}": partial(run, script) for name, script in scripts.items()}
    report.subjects |= in_turns(subjects, plan.rounds, "Beating")
    noop, *beats = subjects
    for beat in beats:
        report.ratio(f"{beat} / {noop.partition(': ')[2]}", beat, noop, 0.6)


def nothing(robot: calls.Robot, tally: Tally) -> Script:
    return calls.repeated(calls.post("/api/noop", {"robot_id": robot.id}), tally)


def idle(robot: calls.Robot, tally: Tally) -> Script:
    return calls.repeated(robot.heartbeat(leases=[]), tally)


def working(robot: calls.Robot, tally: Tally) -> Script:
    answer = yield robot.next_job(confirms=True)
    job = json.loads(answer.body)["job"]
    kept = {"job_id": job["id"], "lease_token": job["lease_token"]}
    yield from calls.repeated(robot.heartbeat(leases=[kept]), tally)


@click.command()
@options(seconds=3)
@click.option("--robots", default=32, show_default=True, type=click.IntRange(1), help="Robots, each on a connection.")
def main(plan: Plan, robots: int) -> None:
    """Show how many heartbeats a server takes, beside calls of a view that does nothing.

    That view reads JSON and answers JSON, on the same server and over as many connections. So the ratio tells what a
    heartbeat costs beyond being a request: token, row of the robot, and the renewal of a lease where it runs a job.

    \b
    Examples:
      python benchmarks/heartbeats.py
      python benchmarks/heartbeats.py --database sqlite --robots 8
      python benchmarks/heartbeats.py --small --json
    """
    report = plan.report(f"Heartbeats per second, {robots} robots")
    with Site() as site:
        for kind in plan.databases:
            compare(site, plan, kind, robots, report)
    report.show(as_json=plan.as_json)


if __name__ == "__main__":
    main()
