"""The lane answers as Flask does, and leaves the same rows."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from bvo import create_app, registry
from bvo.database import db, utcnow
from bvo_jobs.models import Job
from bvo_robots.service import RobotService
from bvo_runner import lane
from conftest import as_admin
from support.asgi import Answer, Served
from support.databases import Databases
from support.servers import Server
from support.state import State

TOKEN, LEASE, KEY = "X-Robot-Token", "X-Lease-Token", "Idempotency-Key"
TABLES = ("events", "jobs", "robots", "machines", "job_lost_attempts")
CHANGING = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?|bvo[lrm]_[\w-]+"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|\b[0-9a-f]{64}\b"
)
"""Times, tokens, ids of requests and events, and digests."""


class Side:
    """One of the two: robots and jobs of an app of its own, and what it answers them."""

    def __init__(self, app: Flask, served: Served) -> None:
        self.served, self.state = served, State(app)
        self.admin = as_admin(app)
        machine = self.admin.ok(self.admin.post("/api/machines", {"name": "host", "mode": "runner"}))
        body = [{"name": f"r{number}", "machine_id": machine["id"]} for number in range(4)]
        self.tokens = [self.admin.ok(self.admin.post("/api/robots", robot))["api_token"] for robot in body]
        self.process = self.admin.a_process("Lane")
        self.answers: list[Answer] = []

    def job(self, **body: Any) -> Any:
        return self.admin.a_job(self.process, **body)

    def post(self, path: str, body: Any, robot: int = 0, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {TOKEN: self.tokens[robot], "User-Agent": "runner/1", **named}
        self.answers.append(self.served.request(f"/api/runner/{path}", body, sent))
        return self.answers[-1]

    def claim(self, robot: int = 0, **headers: str) -> Any:
        return self.post("next-job", {"confirms": True, "robot_id": robot + 1}, robot, **headers).json["job"]

    def beat(self, *jobs: Any, robot: int = 0) -> Answer:
        leases = [{"job_id": job["id"], "lease_token": job["lease_token"]} for job in jobs]
        return self.post("heartbeat", {"robot_id": robot + 1, "machine_info": "HOST", "leases": leases}, robot)

    def update(self, job: Any, robot: int = 0, key: str = "", **outcome: Any) -> Answer:
        headers = {LEASE.replace("-", "_"): job["lease_token"], KEY.replace("-", "_"): key}
        return self.post(f"jobs/{job['id']}/update", {"status": "completed", **outcome}, robot, **headers)

    def limit(self, jobs: int | None) -> None:
        """Let so many jobs of the process run at once."""
        self.admin.ok(self.admin.put(f"/api/processes/{self.process['id']}", {"max_running_jobs": jobs}))

    def told(self) -> list[Any]:
        """All answers and rows, without what differs from run to run."""
        answers = [(answer.status, sorted(answer.headers.items()), answer.body.decode()) for answer in self.answers]
        rows = {table: [json.dumps(row, default=str, indent=0) for row in self.state.rows(table)] for table in TABLES}
        return [CHANGING.sub("~", line) for line in json.dumps([answers, rows], default=str, indent=1).splitlines()]


@pytest.fixture
def sides(databases: Databases, tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    """The same app twice, each on a database of its own: with the lane, and without it."""
    with ExitStack() as stack:
        made = []
        for switch in ("on", "off"):
            values = {"BVO_DATABASE_URL": databases.fresh(), "BVO_DATA_DIR": tmp_path / switch}
            app = create_app({**values, "BVO_RUNNER_LANE": switch, "BVO_PROXY_HOPS": "1"})
            stack.callback(_dispose, app)
            made.append(Side(app, stack.enter_context(Served(app))))
        yield made[0], made[1]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the lane has answered."""
    routes: list[str] = []
    send = lane._send

    async def counted(sender: Any, plain: lane.Plain, answer: Any) -> None:
        routes.append(plain.route)
        await send(sender, plain, answer)

    monkeypatch.setattr(lane, "_send", counted)
    return routes


def _dispose(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()


def good(side: Side) -> None:
    side.beat()  # comes online
    side.beat()
    assert side.claim() is None
    side.job(parameters={"day": "Freitag, ä", "n": [1.5, None]}, timeout_seconds=60)
    side.job(robot_id=2, priority=7)
    first, second = side.claim(), side.claim(1, Idempotency_Key="k1")
    assert side.beat(first).json["leases"] == [{"job_id": first["id"], "lease_seconds": 60, "state": "valid"}]
    assert side.beat(first).status == 200
    assert side.update(first, result={"rows": 3, "text": "ü"}, logs="done\n").status == 200
    assert side.update(first, result={"rows": 3, "text": "ü"}, logs="done\n").status == 200
    assert side.update(second, 1, status="failed", error_message="no\x00", error_code="timeout").status == 200


def numbers(side: Side) -> None:
    side.beat()
    for result in (b"[1e300, -0.0, 0.1]", b"[NaN]", b"[9007199254740993]", b"[1180591620717411303424]"):
        side.job()
        body = b'{"status": "completed", "result": {"n": %b}}' % result
        assert side.post(f"jobs/{side.claim()['id']}/update", body).status == 200


def bad(side: Side) -> None:
    side.beat()
    side.beat(robot=1)
    side.job(max_attempts=2)
    side.job()
    job = side.claim(Idempotency_Key="a")
    assert side.claim(Idempotency_Key="a")["id"] == job["id"]
    assert side.claim() is None
    side.update({**job, "lease_token": "bvol_wrong"})
    side.update(job, 1)
    side.update({**job, "id": 999})
    side.update(job, status="running")
    side.update(job, error_message=5)
    side.beat({**job, "lease_token": "bvol_wrong"})
    side.beat({**job, "id": 999})
    side.admin.ok(side.admin.post(f"/api/jobs/{job['id']}/cancel"))
    side.beat(job)
    assert side.update(job, result={"late": True}).status == 409
    side.post("next-job", {"robot_id": 2})
    side.post("next-job", {"robot_id": "1"})
    side.post("next-job", [])
    side.post("next-job", b"{")
    side.post("next-job", b"\xff")
    side.post("next-job", b"[" * 5000)
    side.post("next-job", {"unknown": 1, "confirms": "yes"})
    side.post("heartbeat", {"leases": [{"job_id": 0}]})
    side.post("heartbeat", {})
    side.post("next-job", {}, X_Robot_Token="bvor_unknown")
    side.post("next-job", {}, X_Robot_Token="")
    side.post("next-job", {}, Authorization="Bearer nobody")
    side.post("next-job", {}, Content_Type="text/plain")
    side.post("jobs/0/update", {"status": "completed"})
    side.post("jobs/99999999999/update", {"status": "completed"})
    side.post(f"jobs/{job['id']}/update", {"status": "completed", "logs": "x" * 5_000_000})
    side.post("next-job", {}, X_Request_ID="mine-1")
    side.post("next-job", {}, X_Request_ID="not mine")


def followed(side: Side) -> None:
    side.beat()
    for _ in range(3):
        side.job()
    following = {"next": {"confirms": True, "robot_id": 1}}
    first = side.claim()
    second = side.update(first, key="k1", **following).json["job"]
    side.update(first, key="k1", **following)  # the answer was lost: the same job, under a new lease
    side.update(second, **following)
    side.update(first, **following)  # the first has ended already, and the robot runs another job
    assert side.update(second, 1, **following).status == 403
    side.update(second, 1, next={})
    third = side.claim(1)
    side.update(third, 1, next={"robot_id": 1})
    side.update(third, 1, next={"robot_id": "x"})
    side.update(third, 1, next=None)
    assert side.update(third, 1, next={"wait_seconds": 30}).json["job"] is None


def limited(side: Side) -> None:
    side.beat()
    side.limit(2)
    other = side.admin.a_process("Unlimited")
    for number in range(4):
        side.job(robot_id=3 if number == 3 else None)
    first, second = side.claim(), side.claim(1)
    assert side.claim(2) is None
    behind = side.admin.a_job(other)
    assert side.claim(2)["id"] == behind["id"]
    third = side.update(first, next={}).json["job"]  # it gives its place to the one that it gets
    assert third["process"]["id"] == side.process["id"]
    assert side.claim(3) is None
    side.limit(3)
    assert side.claim(3) is None  # what is left is meant for another robot
    side.limit(1)
    assert side.update(second, 1, next={}).json["job"] is None  # more run than the process allows by now
    assert side.update(third).status == 200
    assert side.claim(1) is None


def drained(side: Side) -> None:
    side.job()
    side.admin.ok(side.admin.post("/api/robots/1/drain"))
    assert side.claim() is None
    side.admin.ok(side.admin.post("/api/robots/1/resume"))
    side.admin.ok(side.admin.put("/api/settings/jobs", {"draining": True}))
    assert side.claim() is None
    side.admin.ok(side.admin.put("/api/settings/jobs", {"draining": False, "lease_seconds": 90}))
    assert side.claim()["lease_seconds"] == 90


def proxied(side: Side) -> None:
    side.beat()
    for seen in ("192.0.2.1", "192.0.2.1, 192.0.2.2", " 192.0.2.3 ,2001:db8::1 ", "", ","):
        side.job()
        job = side.post("next-job", {}, X_Forwarded_For=seen).json["job"]
        side.post(f"jobs/{job['id']}/update", {"status": "completed"}, X_Forwarded_For=seen)
    told = {row["ip_address"] for row in side.state.rows("events")}
    assert {"192.0.2.1", "192.0.2.2", "2001:db8::1", "127.0.0.1"} <= told


@pytest.mark.parametrize(
    ("story", "answered"),
    [(good, 9), (numbers, None), (bad, 4), (followed, 5), (limited, 10), (drained, 3), (proxied, 10)],
)
def test_the_lane_answers_as_flask_does(
    sides: tuple[Side, Side], taken: list[str], story: Callable[[Side], None], answered: int | None
) -> None:
    for side in sides:
        story(side)
    assert sides[0].told() == sides[1].told()
    assert answered in (None, len(taken))


# --- waiting for a job


@pytest.fixture
def side(databases: Databases, tmp_path: Path) -> Iterator[Side]:
    app = create_app({"BVO_DATABASE_URL": databases.fresh(), "BVO_DATA_DIR": tmp_path / "data"})
    with ExitStack() as stack:
        stack.callback(_dispose, app)
        side = Side(app, stack.enter_context(Served(app)))
        for robot in range(len(side.tokens)):
            side.beat(robot=robot)
        yield side


def wait(side: Side, robot: int = 0, seconds: int = 20, **options: Any) -> Any:
    """A claim that waits; returns the future answer, once it is parked."""
    body = {"confirms": True, "wait_seconds": seconds}
    answer = side.served.begin("/api/runner/next-job", body, {TOKEN: side.tokens[robot]}, **options)
    while not side.served.run(lambda: any(waiter.robot_id == robot + 1 for waiter in parked(side).values())):
        assert not answer.done()
    return answer


def parked(side: Side) -> dict[int, Any]:
    found: dict[int, Any] = side.served.app._waiting._parked
    return found


def job_of(answer: Any) -> Any:
    return answer.result(10).json["job"]


def test_a_robot_that_waits_gets_a_job_as_soon_as_there_is_one(side: Side) -> None:
    answer = wait(side)
    job = side.job()
    assert job_of(answer)["id"] == job["id"]


def test_there_are_as_many_claims_as_jobs_and_the_longest_wait_comes_first(side: Side) -> None:
    answers = [wait(side, robot) for robot in (2, 0, 1)]
    first, second = side.job(), side.job()
    assert (job_of(answers[0])["id"], job_of(answers[1])["id"]) == (first["id"], second["id"])
    assert not answers[2].done()
    assert list(side.served.run(lambda: list(parked(side)))) == [2]


def test_a_job_for_one_robot_wakes_that_robot(side: Side) -> None:
    answers = [wait(side, robot) for robot in (0, 1)]
    job = side.job(robot_id=2)
    assert job_of(answers[1])["id"] == job["id"]
    assert not answers[0].done()


def test_a_robot_that_may_not_claim_passes_its_turn_on(side: Side) -> None:
    answers = [wait(side, robot) for robot in (0, 1)]
    side.admin.ok(side.admin.post("/api/robots/1/drain"))
    job = side.job()
    assert job_of(answers[1])["id"] == job["id"]
    again = side.job()
    side.admin.ok(side.admin.post("/api/robots/1/resume"))
    assert job_of(answers[0])["id"] == again["id"]


def test_without_a_job_the_wait_ends_in_time(side: Side) -> None:
    assert job_of(wait(side, seconds=1)) is None


def test_who_has_gone_gets_no_job(side: Side) -> None:
    gone = side.served.run(asyncio.Event)
    answer = wait(side, gone=gone)
    side.served.run(gone.set)
    assert answer.result(10).status == 0
    job = side.job()
    assert job_of(wait_or_get(side, 1))["id"] == job["id"]


def wait_or_get(side: Side, robot: int) -> Any:
    return side.served.begin("/api/runner/next-job", {"wait_seconds": 20}, {TOKEN: side.tokens[robot]})


def test_a_lost_hint_costs_a_moment_and_no_job(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bvo_jobs.wakeups._hints", lambda event: [])
    answer = wait(side)
    job = side.job()
    assert job_of(answer)["id"] == job["id"]


def test_a_token_that_was_replaced_while_it_waited_gets_no_job(side: Side) -> None:
    answer = wait(side)
    with side.admin.client.application.app_context():
        service = registry.current().service(RobotService)
        service.rotate_token(service.get(1))
    side.job()
    assert answer.result(10).status == 401


def test_at_the_end_of_the_server_all_that_wait_are_answered(databases: Databases, tmp_path: Path) -> None:
    app = create_app({"BVO_DATABASE_URL": databases.fresh(), "BVO_DATA_DIR": tmp_path / "data"})
    with ExitStack() as stack:
        stack.callback(_dispose, app)
        with Served(app) as served:
            side = Side(app, served)
            answer = wait(side)
        assert answer.result(0).json == {"job": None}


def test_a_job_that_another_server_was_asked_for_comes_at_once(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bvo_runner.waiting.LOOK_SECONDS", 1000.0)  # what comes, comes by the hint alone
    values = {"BVO_DATABASE_URL": databases.fresh(), "BVO_DATA_DIR": tmp_path / "data"}
    app = create_app(values)
    with ExitStack() as stack:
        stack.callback(_dispose, app)
        side = Side(app, stack.enter_context(Served(app)))
        side.beat()
        other = stack.enter_context(Server(tmp_path, **values))
        other.log_in()
        answer = wait(side)
        job = other.call("POST", "/api/jobs", json={"process_id": side.process["id"]})
        assert job_of(answer)["id"] == job["id"]


def test_settings_are_in_force_with_the_next_beat(side: Side) -> None:
    side.job()
    side.job()
    first = side.claim()
    side.admin.ok(side.admin.put("/api/settings/jobs", {"lease_seconds": 300, "heartbeat_seconds": 7}))
    side.beat(first)
    with side.admin.client.application.app_context():
        until = db.session.scalar(select(Job.lease_expires_at).where(Job.id == first["id"]))
    assert until is not None
    assert until > utcnow() + timedelta(seconds=200)
    following = side.update(first, next={}).json["job"]
    assert (following["lease_seconds"], following["heartbeat_seconds"]) == (300, 7)


def test_how_long_to_wait_is_bounded(side: Side) -> None:
    assert side.post("next-job", {"wait_seconds": 31}).status == 422
