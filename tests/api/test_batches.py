"""Claims that are made together: as if each came after the one before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bvo import create_app, tokens
from bvo.database import db
from bvo_jobs.asks import ClaimAsk, Claimed, Nothing, ResultAsk
from bvo_runner.batches import Batcher, Request
from conftest import as_admin
from support.databases import Databases

ROBOTS = 5


class Together:
    """Robots 1, 2, ... of one app, and what comes of their requests in one batch."""

    def __init__(self, app: Any) -> None:
        self.admin = as_admin(app)
        self.process = self.admin.a_process("Batch")
        robots = [self.admin.ok(self.admin.post("/api/robots", {"name": f"r{n}"})) for n in range(1, ROBOTS + 1)]
        self.who = [{"token_hash": tokens.digest(robot["api_token"]), "robot_id": robot["id"]} for robot in robots]
        self._batcher = Batcher(app, lambda answered: None)

    def job(self, **body: Any) -> int:
        return int(self.admin.a_job(self.process, **body)["id"])

    def claims(self, *robots: int) -> list[Any]:
        """What each robot gets: the id of a job, or None."""
        return self._last(Request(self._claim(robot), settle=print) for robot in robots)

    def cycles(self, jobs: dict[int, Claimed]) -> list[Any]:
        """Each robot completes its job, and gets the next one."""
        return self._last(
            Request(
                ResultAsk(
                    **self.who[robot - 1],
                    job_id=claimed.job.id,
                    lease_token=claimed.lease_token,
                    outcome={"status": "completed"},
                ),
                self._claim(robot),
                settle=print,
            )
            for robot, claimed in jobs.items()
        )

    def _claim(self, robot: int) -> ClaimAsk:
        return ClaimAsk(**self.who[robot - 1], confirms=False)

    def _last(self, requests: Iterator[Request]) -> list[Any]:
        self.answered = [results[-1] for _, results in self._batcher._answered(list(requests))]
        assert all(isinstance(result, Claimed | Nothing) for result in self.answered)
        return [result.job.id if isinstance(result, Claimed) else None for result in self.answered]

    def stop(self) -> None:
        self._batcher._disconnect()


@pytest.fixture
def together(databases: Databases, tmp_path: Path) -> Iterator[Together]:
    app = create_app({"BVO_DATABASE_URL": databases.fresh(), "BVO_DATA_DIR": tmp_path})
    made = Together(app)
    yield made
    made.stop()
    with app.app_context():
        db.engine.dispose()


def test_each_robot_gets_a_job_of_its_own_by_priority_and_age(together: Together) -> None:
    low, middle, other, high = (together.job(priority=priority) for priority in (-1, 0, 0, 5))
    assert together.claims(1, 2, 3, 4) == [high, middle, other, low]


def test_where_there_are_fewer_jobs_than_robots_the_others_get_none(together: Together) -> None:
    jobs = [together.job(), together.job()]
    assert together.claims(1, 2, 3, 4) == [*jobs, None, None]
    assert together.claims(3, 4) == [None, None]


def test_what_is_meant_for_one_robot_goes_to_that_robot(together: Together) -> None:
    first, own, second = together.job(), together.job(robot_id=2, priority=1), together.job()
    assert together.claims(1, 2, 3, 4) == [first, own, second, None]


def test_a_robot_takes_what_comes_before_its_own(together: Together) -> None:
    own, urgent = together.job(robot_id=2), together.job(priority=9)
    assert together.claims(2) == [urgent]
    assert together.cycles({2: together.answered[0]}) == [own]


def test_a_limit_is_kept_by_those_that_claim_together(together: Together) -> None:
    together.admin.ok(together.admin.put(f"/api/processes/{together.process['id']}", {"max_running_jobs": 2}))
    jobs = [together.job() for _ in range(4)]
    assert together.claims(1, 2, 3) == [*jobs[:2], None]
    done = dict(zip((1, 2), together.answered[:2], strict=True))
    assert together.cycles(done) == jobs[2:]


def test_busy_robots_go_on_together(together: Together) -> None:
    jobs = [together.job(timeout_seconds=60 if number % 2 else None) for number in range(10)]
    assert together.claims(1, 2, 3, 4, 5) == jobs[:5]
    assert together.cycles(dict(enumerate(together.answered, 1))) == jobs[5:]
    assert together.cycles(dict(enumerate(together.answered, 1))) == [None] * 5
    found = together.admin.ok(together.admin.get("/api/jobs?status=completed&page_size=20"))
    assert sorted(job["id"] for job in found) == jobs
