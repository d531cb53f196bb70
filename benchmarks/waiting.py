"""How soon does a job reach one of thousands of robots that wait for it, and what memory does that take?"""

from __future__ import annotations

import json
import resource
import time
from dataclasses import dataclass, field
from functools import partial

import calls
import click
import requests
from load import Load, Script, Tally
from rounds import Figures, Plan, Report, in_turns, options
from servers import Server, Site

WAIT_SECONDS = 30
P50_MS, P99_MS, MEGABYTES = 5, 25, 300
PER_SECOND = 25
ADMIN = {"username": "admin", "password": "admin123"}
OLD = "this server has no long poll: it answers `wait_seconds` at once"


@dataclass
class Journal:
    """When each job was asked for, when its creator heard of it, and when it came to a robot: by one clock."""

    sent: dict[int, float] = field(default_factory=dict)
    answered: dict[int, float] = field(default_factory=dict)
    arrived: dict[int, float] = field(default_factory=dict)
    megabytes: float = 0

    def milliseconds(self, since: dict[int, float]) -> list[float]:
        """How long each took, sorted; one that did not arrive counts until now."""
        now = time.perf_counter()
        return sorted((self.arrived.get(job, now) - started) * 1000 for job, started in since.items())


def waiting(robot: calls.Robot, journal: Journal, tally: Tally) -> Script:
    """A robot that waits for a job, completes it, and waits again."""
    while True:
        answer = yield robot.next_job(wait_seconds=WAIT_SECONDS)
        job = json.loads(answer.body).get("job")
        if job:
            journal.arrived[job["id"]] = time.perf_counter()
            tally.done += 1
            yield robot.completed(job)
        elif answer.status >= 300:
            yield 1.0


def creator(headers: dict[str, str], journal: Journal, warm: float, seconds: float) -> Script:
    """Creates jobs at a steady pace, after the robots wait and until shortly before the end."""
    yield warm
    request, end = calls.post("/api/jobs", {"process_id": 1}, **headers), time.perf_counter() + seconds
    while (sent := time.perf_counter()) < end:
        answer = yield request
        if answer.status < 300:
            job = json.loads(answer.body)["id"]
            journal.sent[job], journal.answered[job] = sent, time.perf_counter()
        yield max(sent + 1 / PER_SECOND - time.perf_counter(), 0.0)


def visitor(request: bytes, pause: float) -> Script:
    while True:
        yield request
        yield pause


def weigher(server: Server, journal: Journal, after: float) -> Script:
    """Looks at the memory when all is done that is timed: the look itself takes a while."""
    yield after
    journal.megabytes = server.memory_megabytes()


def run(server: Server, robots: int, seconds: float) -> Figures:
    warm = 1 + robots / 1000
    headers, cookies = signed_in(server)
    journal, tally = Journal(), Tally()
    idle = server.memory_megabytes()
    scripts = [
        *(waiting(robot, journal, tally) for robot in calls.robots(robots)),
        creator(headers, journal, warm, seconds),
        visitor(calls.get("/ui/jobs", Cookie=cookies), 0.1),
        visitor(calls.get("/api/jobs?per_page=50", **headers), 0.1),
        weigher(server, journal, warm + seconds + 0.5),
    ]
    load = Load(server.port, tally, server.cpu_seconds)
    load.run(scripts, warm + seconds + 1, warm=0, leave=True)
    found: Figures = {}
    for name, since in (("", journal.answered), ("sent_", journal.sent)):
        taken = journal.milliseconds(since) or [0.0]
        quantiles = {"p50": taken[len(taken) // 2], "p99": taken[int(len(taken) * 0.99)], "longest": taken[-1]}
        found |= {f"{name}{quantile}_ms": value for quantile, value in quantiles.items()}
    lost = len(journal.sent.keys() - journal.arrived.keys())
    found |= {"jobs": len(journal.sent), "lost": lost, "refused": tally.refused.total()}
    return found | {"MB": journal.megabytes, "idle_MB": idle}


def signed_in(server: Server) -> tuple[dict[str, str], str]:
    """What proves the administrator to the API, and the cookies of the pages."""
    address = f"http://127.0.0.1:{server.port}"
    bearer = requests.post(f"{address}/api/auth/login", data=ADMIN, timeout=30).json()["access_token"]
    page = requests.post(f"{address}/ui/login", data=ADMIN, timeout=30, allow_redirects=False)
    return {"Authorization": f"Bearer {bearer}"}, "; ".join(f"{name}={value}" for name, value in page.cookies.items())


def has_long_poll(server: Server) -> bool:
    """True where a robot that asks for it waits: nothing is pending."""
    tally = Tally()
    found = Load(server.port, tally).run([_once(calls.Robot(id=1).next_job(wait_seconds=1))], 5, warm=0)
    return found.quantile(1) > 500


def _once(request: bytes) -> Script:
    yield request


def compare(site: Site, plan: Plan, kind: str, robots: int, report: Report) -> None:
    server = site.serve(site.database(kind, robots))
    server.wait()
    if not has_long_poll(server):
        report.notes.append(f"{kind}: not supported: {OLD}.")
        return
    subject = f"{kind}, {robots:,} robots"
    found = in_turns({subject: partial(run, server, robots, plan.seconds)}, plan.rounds, "Waiting")[subject]
    report.subjects[subject] = found
    report.limit(f"{subject}: p50 after its commit, ms", found["p50_ms"], P50_MS)
    report.limit(f"{subject}: p99 after its commit, ms", found["p99_ms"], P99_MS)
    report.limit(f"{subject}: jobs that did not arrive", found["lost"], 0)
    report.limit(f"{subject}: memory of all server processes, MB", found["MB"], MEGABYTES)


@click.command()
@options(seconds=10)
@click.option(
    "--robots", type=click.IntRange(1), help="Robots that wait. Left out: 5,000 on PostgreSQL, 500 on SQLite."
)
def main(plan: Plan, robots: int | None) -> None:
    """Show how soon a new job reaches one of thousands of robots in a long poll, while people use pages and API.

    25 jobs a second are created over the API. The time ends when the answer is at the robot. It begins when the
    creator has its answer, which is right after the commit (so it may be negative: the robot was first); in the
    columns "sent", when the creator has sent the request. Memory is that of all processes of `bvo serve`; what they
    share counts once.

    \b
    Examples:
      python benchmarks/waiting.py
      python benchmarks/waiting.py --database sqlite --robots 100
      python benchmarks/waiting.py --small --json
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    report = plan.report("From the creation of a job to a robot that waits")
    with Site() as site:
        for kind in plan.databases:
            count = robots or (20 if plan.small else 5_000 if kind == "postgresql" else 500)
            compare(site, plan, kind, count, report)
    report.show(as_json=plan.as_json)


if __name__ == "__main__":
    main()
