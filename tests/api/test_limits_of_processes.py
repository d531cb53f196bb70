"""`max_running_jobs` under many servers and robots at once: it holds, and who may have a job gets one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from bvo import create_app
from bvo.database import db, transaction, utcnow
from bvo_jobs.models import Job
from bvo_processes.models import Process
from bvo_runner import lane
from conftest import token_of
from support.api import Api
from support.asgi import Served
from support.databases import Databases

ROBOTS, PLACES, ROUNDS = 9, 3, 12


class Site:
    """Servers of one database, two of them with the lane; a `limited` process, with PLACES, and a `free` one."""

    def __init__(self, apps: list[Flask], served: list[Served]) -> None:
        self.apps, self.served = apps, served
        self.admin = Api(apps[0].test_client(), Authorization=f"Bearer {token_of(apps[0], 1)}")
        self.limited, self.free = self.admin.a_process("Limited"), self.admin.a_process("Free")
        self.admin.ok(self.admin.put(f"/api/processes/{self.limited['id']}", {"max_running_jobs": PLACES}))
        self.tokens = [self.admin.a_robot(f"r{number}")[1].headers["X-Robot-Token"] for number in range(ROBOTS)]

    def post(self, path: str, body: Any, robot: int, server: int | None = None) -> Any:
        """What comes of it; the robots ask all servers in turn."""
        served = self.served[robot % len(self.served) if server is None else server]
        answer = served.request(f"/api/runner/{path}", body, {"X-Robot-Token": self.tokens[robot]})
        assert answer.status == 200, answer.body
        return answer.json["job"]

    def add(self, process: Any, jobs: int, **body: Any) -> None:
        for _ in range(jobs):
            self.admin.a_job(process, **body)

    def running(self) -> int:
        """How many jobs of the limited process run now."""
        with self.apps[0].app_context():
            mine = select(func.count(Job.id)).where(Job.process_id == self.limited["id"], Job.status == "running")
            return db.session.scalar(mine) or 0

    def clear(self) -> None:
        with self.apps[0].app_context(), transaction() as session:
            session.execute(update(Job).values(status="canceled", finished_at=utcnow()))


@pytest.fixture
def site(databases: Databases, tmp_path: Path) -> Iterator[Site]:
    values = {"BVO_DATABASE_URL": databases.fresh(), "BVO_DATA_DIR": tmp_path / "data"}
    with ExitStack() as stack:
        apps = [create_app({**values, "BVO_RUNNER_LANE": switch}) for switch in ("on", "on", "off")]
        for app in apps:
            stack.callback(_dispose, app)
        yield Site(apps, [stack.enter_context(Served(app)) for app in apps])


def _dispose(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()


def at_once(site: Site, ask: Any) -> list[Any]:
    """What all robots get that ask at once; never more jobs of the process run meanwhile than it has places."""
    most = 0
    with ThreadPoolExecutor(ROBOTS) as pool:
        asked = [pool.submit(ask, robot) for robot in range(ROBOTS)]
        while not all(answer.done() for answer in asked):
            most = max(most, site.running())
    assert max(most, site.running()) <= PLACES
    return [answer.result() for answer in asked]


def test_many_servers_give_no_more_jobs_than_there_are_places_and_one_to_every_robot(site: Site) -> None:
    def claim(robot: int) -> Any:
        return site.post("next-job", {}, robot)

    def follow(robot: int) -> Any:
        job = jobs[robot]
        body = {"status": "completed", "lease_token": job["lease_token"], "next": {}}
        return site.post(f"jobs/{job['id']}/update", body, robot)

    for _ in range(ROUNDS):
        site.add(site.limited, 3 * PLACES, priority=5)  # they come first, and only so many of them may run
        for ask in (claim, follow):
            site.add(site.free, ROBOTS - PLACES)
            jobs = at_once(site, ask)
            assert all(jobs), jobs
            assert Counter(job["process"]["id"] for job in jobs) == {
                site.limited["id"]: PLACES,
                site.free["id"]: ROBOTS - PLACES,
            }
        assert [job for job in at_once(site, claim) if job] == []
        site.clear()


def test_who_waits_for_the_last_place_in_vain_gets_the_next_job_that_it_may_run(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    send = lane._send

    async def counted(sender: Any, plain: lane.Plain, answer: Any) -> None:
        told.append(plain.route)
        await send(sender, plain, answer)

    monkeypatch.setattr(lane, "_send", counted)
    site.add(site.limited, PLACES + 1, priority=5)
    site.add(site.free, 1)
    for robot in range(PLACES - 1):
        assert site.post("next-job", {}, robot)["process"]["id"] == site.limited["id"]
    with ThreadPoolExecutor(1) as pool, site.apps[2].app_context():
        with transaction() as session:
            last = select(Job).where(Job.status == "pending", Job.process_id == site.limited["id"]).limit(1)
            job = session.scalars(last.with_for_update(of=Job)).one()
            session.scalar(select(Process.id).where(Process.id == job.process_id).with_for_update(key_share=True))
            answer = pool.submit(site.post, "next-job", {}, PLACES, 0)
            job.status, job.robot_id, job.lease_expires_at = "running", ROBOTS, utcnow()
            time.sleep(0.2)  # it has found the place that is not taken yet, and waits to count again
        assert answer.result(10)["process"]["id"] == site.free["id"]
    assert told == ["next-job"] * PLACES
    assert site.running() == PLACES
