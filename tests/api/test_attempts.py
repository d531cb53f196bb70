"""What becomes of a job whose robot is silent, too slow, or told to stop; and who may take which job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from bvo import clock
from bvo.clock import Pace
from bvo.database import WRITE, db, transaction, utcnow
from bvo_jobs import watchdog
from bvo_jobs.models import Job
from bvo_jobs.service import JobService
from support.api import Api
from support.problems import refused
from support.state import State
from support.work import Work, claim

SECOND = timedelta(seconds=1)


class Fleet:
    """Jobs of one process, robots, and a watchdog that looks when it is told to."""

    def __init__(self, app: Flask, admin: Api) -> None:
        self.app, self.admin = app, admin
        self.process = admin.a_process("Fleet")

    def job(self, **body: Any) -> Any:
        return self.admin.a_job(self.process, **body)

    def now(self, job: Any) -> Any:
        return self.admin.ok(self.admin.get(f"/api/jobs/{job['id']}"))

    def lost(self, job: Any) -> Any:
        return self.admin.ok(self.admin.get(f"/api/jobs/{job['id']}/lost-attempts"))

    def waiting(self, job: Any) -> Any:
        return self.admin.ok(self.admin.get(f"/api/jobs/{job['id']}/waiting"))

    def change(self, **values: Any) -> None:
        with self.app.app_context(), transaction() as session:
            session.execute(update(Job).values(values))

    def watch(self, *looks: Callable[[], None]) -> None:
        for look in looks or (watchdog.end_waits, watchdog.expire_leases, watchdog.expire_deadlines):
            with self.app.app_context():
                look()

    def lose(self, robot: Api) -> Any:
        """Let a robot claim a job and fall silent; returns what it had claimed."""
        claimed = claim(robot)
        self.change(lease_expires_at=utcnow() - SECOND)
        self.watch(watchdog.expire_leases)
        return claimed


@pytest.fixture
def fleet(app: Flask, admin: Api) -> Fleet:
    return Fleet(app, admin)


def finish(robot: Api, job: Any, **outcome: Any) -> Any:
    body = {"status": "completed", **outcome}
    return robot.post(f"/api/runner/jobs/{job['id']}/update", body, headers={"X-Lease-Token": job["lease_token"]})


def beat(robot: Api, job: Any) -> str:
    leases = [{"job_id": job["id"], "lease_token": job["lease_token"]}]
    (answer,) = robot.ok(robot.post("/api/runner/heartbeat", {"leases": leases}))["leases"]
    state: str = answer["state"]
    return state


# --- lost robots


def test_by_default_a_job_whose_robot_is_silent_fails_and_is_never_repeated(fleet: Fleet, state: State) -> None:
    job, (_, robot) = fleet.job(), fleet.admin.a_robot()
    claimed = claim(robot)
    fleet.watch()
    assert fleet.now(job)["status"] == "running"
    fleet.change(lease_expires_at=utcnow() - SECOND)
    fleet.watch()
    fleet.watch()
    lost = fleet.now(job)
    assert (lost["status"], lost["error_code"], lost["attempt"]) == ("failed", "lease_lost", 1)
    assert "not heard of" in lost["error_message"]
    assert lost["finished_at"] is not None
    assert beat(robot, claimed) == "lost"
    assert [row["action"] for row in state.rows("events")].count("job.failed") == 1
    assert claim(robot) is None


def test_with_attempts_left_it_waits_and_is_started_again(fleet: Fleet) -> None:
    job, (_, first), (_, second) = fleet.job(max_attempts=2), fleet.admin.a_robot("r1"), fleet.admin.a_robot("r2")
    old = fleet.lose(first)
    waiting = fleet.now(job)
    assert (waiting["status"], waiting["robot_id"], waiting["started_at"]) == ("pending", None, None)
    assert datetime.fromisoformat(waiting["available_at"]) > utcnow() + 20 * SECOND
    assert claim(second) is None
    fleet.change(available_at=utcnow() - SECOND)
    fleet.watch()
    new = claim(second)
    assert (new["id"], new["attempt"]) == (job["id"], 2)
    refused(finish(first, old), 409, "no longer held")
    second.ok(finish(second, new))
    assert fleet.now(job)["status"] == "completed"


def test_each_wait_is_twice_as_long_as_the_one_before(fleet: Fleet) -> None:
    job, (_, robot) = fleet.job(max_attempts=10, retry_delay_seconds=100), fleet.admin.a_robot()
    waits = []
    for _ in range(2):
        fleet.lose(robot)
        waits.append(datetime.fromisoformat(fleet.now(job)["available_at"]) - utcnow())
        fleet.change(available_at=None)
    assert [round(wait.total_seconds(), -1) for wait in waits] == [100, 200]


def test_a_job_that_loses_three_robots_is_poison_however_many_attempts_are_left(fleet: Fleet) -> None:
    job, (_, robot) = fleet.job(max_attempts=100, retry_delay_seconds=0), fleet.admin.a_robot()
    for _ in range(3):
        assert fleet.now(job)["status"] == "pending"
        fleet.lose(robot)
    poison = fleet.now(job)
    assert (poison["status"], poison["error_code"]) == ("failed", "poison")
    assert [attempt["reason"] for attempt in fleet.lost(job)] == ["lease_lost"] * 3


def test_a_job_that_was_made_for_a_robot_stays_with_it(fleet: Fleet) -> None:
    (row, mine), (_, other) = fleet.admin.a_robot("r1"), fleet.admin.a_robot("r2")
    job = fleet.job(robot_id=row["id"], max_attempts=2, retry_delay_seconds=0)
    fleet.lose(mine)
    assert fleet.now(job)["robot_id"] == row["id"]
    assert claim(other) is None
    assert claim(mine)["id"] == job["id"]


def test_what_a_stale_attempt_reports_is_kept_beside_the_job_and_changes_nothing(fleet: Fleet) -> None:
    job, (robot_row, first) = fleet.job(max_attempts=2, retry_delay_seconds=0), fleet.admin.a_robot("r1")
    old = fleet.lose(first)
    new = claim(fleet.admin.a_robot("r2")[1])
    assert new["id"] == job["id"]
    refused(finish(first, old, result={"rows": 7}), 409, "Stop working on it")
    refused(finish(first, old, result={"rows": 8}), 409)
    (late,) = fleet.lost(job)
    assert (late["reason"], late["robot_id"], late["late_report"]["result"]) == (
        "lease_lost",
        robot_row["id"],
        {"rows": 7},
    )
    assert fleet.now(job)["status"] == "running"
    for part, body in (("log", {"sequence": 1, "text": "late"}), ("stopped", {"words": "late"})):
        path = f"/api/runner/jobs/{job['id']}/{part}"
        assert first.post(path, body, headers={"X-Lease-Token": old["lease_token"]}).status_code in (404, 409)


def test_a_lease_that_ran_out_still_holds_until_the_watchdog_has_seen_it(fleet: Fleet) -> None:
    _, (_, robot) = fleet.job(), fleet.admin.a_robot()
    job = claim(robot)
    fleet.change(lease_expires_at=utcnow() - SECOND)
    assert beat(robot, job) == "valid"
    fleet.watch()
    robot.ok(finish(robot, job))


def test_many_watchdogs_at_once_lose_a_job_once(fleet: Fleet, state: State) -> None:
    for number in range(5):
        fleet.job()
        claim(fleet.admin.a_robot(f"r{number}")[1])
    fleet.change(lease_expires_at=utcnow() - SECOND)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fleet.watch(watchdog.expire_leases), range(8)))
    assert len(state.rows("job_lost_attempts")) == 5
    assert [row["action"] for row in state.rows("events")].count("job.failed") == 5


# --- confirming a claim


def test_a_claim_that_is_not_confirmed_goes_back_without_counting(fleet: Fleet) -> None:
    job, (_, robot) = fleet.job(), fleet.admin.a_robot()
    robot.ok(robot.post("/api/runner/next-job", {"confirms": True}))
    fleet.change(lease_expires_at=utcnow() - SECOND)
    fleet.watch()
    back = fleet.now(job)
    assert (back["status"], back["attempt"], back["available_at"], back["robot_id"]) == ("pending", 0, None, None)
    assert fleet.lost(job) == []
    assert claim(robot)["attempt"] == 1


def test_the_first_renewal_confirms_a_claim(fleet: Fleet) -> None:
    job, (_, robot) = fleet.job(), fleet.admin.a_robot()
    claimed = robot.ok(robot.post("/api/runner/next-job", {"confirms": True}))["job"]
    assert beat(robot, claimed) == "valid"
    fleet.change(lease_expires_at=utcnow() - SECOND)
    fleet.watch()
    assert fleet.now(job)["status"] == "failed"


def test_a_claim_that_is_repeated_with_its_key_gives_the_same_job_under_a_new_lease(fleet: Fleet) -> None:
    jobs, (_, robot) = [fleet.job(), fleet.job()], fleet.admin.a_robot()

    def ask(key: str) -> Any:
        return robot.ok(robot.post("/api/runner/next-job", {}, headers={"Idempotency-Key": key}))["job"]

    first = ask("k1")
    fleet.change(lease_expires_at=utcnow() + SECOND)
    again = ask("k1")
    with fleet.app.app_context():
        expires_at = db.session.scalar(select(Job.lease_expires_at).where(Job.id == first["id"]))
    assert expires_at is not None
    assert expires_at > utcnow() + again["lease_seconds"] * SECOND / 2, "it holds as long as its robot is told"
    assert first["id"] == again["id"] == jobs[0]["id"]
    assert first["attempt"] == again["attempt"] == 1
    refused(finish(robot, first), 409)
    assert ask("k2") is None
    robot.ok(finish(robot, again))
    assert ask("k1")["id"] == jobs[1]["id"]


def test_a_claim_says_how_long_it_holds_until_it_is_confirmed(fleet: Fleet) -> None:
    fleet.job()
    (_, robot) = fleet.admin.a_robot()
    headers = {"Idempotency-Key": "k1"}
    first = robot.ok(robot.post("/api/runner/next-job", {"confirms": True}, headers=headers))["job"]
    assert first["confirm_seconds"] == 15
    fleet.change(lease_expires_at=utcnow() - SECOND)
    again = robot.ok(robot.post("/api/runner/next-job", {"confirms": True}, headers=headers))["job"]
    fleet.watch()
    assert beat(robot, again) == "valid"


def test_a_claim_that_comes_late_takes_a_confirmed_job_from_nobody(fleet: Fleet) -> None:
    fleet.job()
    (_, robot) = fleet.admin.a_robot()
    ask = ("/api/runner/next-job", {"confirms": True})
    job = robot.ok(robot.post(*ask, headers={"Idempotency-Key": "k1"}))["job"]
    assert beat(robot, job) == "valid"
    assert robot.ok(robot.post(*ask, headers={"Idempotency-Key": "k1"}))["job"] is None
    robot.ok(finish(robot, job))


def follow(robot: Api, job: Any, key: str = "", **following: Any) -> Any:
    """Report the result and ask for the next job."""
    headers = {"X-Lease-Token": job["lease_token"], **({"Idempotency-Key": key} if key else {})}
    body = {"status": "completed", "next": following}
    return robot.post(f"/api/runner/jobs/{job['id']}/update", body, headers=headers)


def test_with_its_result_a_robot_gets_its_next_job(fleet: Fleet) -> None:
    jobs, (_, robot) = [fleet.job(), fleet.job()], fleet.admin.a_robot()
    answer = robot.ok(follow(robot, claim(robot), confirms=True))
    assert (answer["status"], answer["job"]["id"], answer["job"]["confirm_seconds"]) == ("ok", jobs[1]["id"], 15)
    assert [fleet.now(job)["status"] for job in jobs] == ["completed", "running"]
    assert robot.ok(follow(robot, answer["job"])) == {"status": "ok", "job": None}


def test_a_result_with_a_claim_that_is_repeated_with_its_key_gives_the_same_job(fleet: Fleet) -> None:
    jobs, (_, robot) = [fleet.job(), fleet.job(), fleet.job()], fleet.admin.a_robot()
    first = claim(robot)
    answers = [robot.ok(follow(robot, first, "k1")) for _ in range(2)]
    assert [answer["job"]["id"] for answer in answers] == [jobs[1]["id"]] * 2
    refused(finish(robot, answers[0]["job"]), 409)
    robot.ok(finish(robot, answers[1]["job"]))


def test_a_result_that_is_refused_claims_nothing(fleet: Fleet) -> None:
    first, second, (_, robot) = fleet.job(), fleet.job(), fleet.admin.a_robot()
    stale = fleet.lose(robot)
    refused(follow(robot, stale), 409)
    refused(follow(robot, stale, robot_id=99), 403)
    assert [fleet.now(job)["status"] for job in (first, second)] == ["failed", "pending"]
    (lost,) = fleet.lost(first)
    assert lost["late_report"] == {"status": "completed"}


def test_a_claim_that_is_refused_accepts_no_result(fleet: Fleet) -> None:
    job, (_, robot) = fleet.job(), fleet.admin.a_robot()
    claimed = claim(robot)
    refused(follow(robot, claimed, robot_id=99), 403)
    refused(follow(robot, claimed, robot_id="x"), 422)
    assert fleet.now(job)["status"] == "running"


# --- giving up


def give_up(robot: Api, job: Any, **body: Any) -> Any:
    return robot.post(f"/api/runner/jobs/{job['id']}/release", body, headers={"X-Lease-Token": job["lease_token"]})


def test_a_job_that_its_robot_gives_up_is_lost_at_once(fleet: Fleet, state: State) -> None:
    job, (_, robot), (_, other) = fleet.job(), fleet.admin.a_robot("r1"), fleet.admin.a_robot("r2")
    claimed = claim(robot)
    refused(give_up(other, claimed), 404)
    refused(give_up(robot, {**claimed, "lease_token": "bvol_wrong"}), 409, "no longer held")
    assert fleet.now(job)["status"] == "running"
    robot.ok(give_up(robot, claimed))
    lost = fleet.now(job)
    assert (lost["status"], lost["error_code"]) == ("failed", "lease_lost")
    assert "killed or cut off" in lost["error_message"]
    refused(give_up(robot, claimed), 409, "no longer held")
    assert [attempt["reason"] for attempt in fleet.lost(job)] == ["lease_lost"]
    assert [row["action"] for row in state.rows("events")].count("job.failed") == 1


def test_a_job_that_is_given_up_waits_for_its_next_attempt(fleet: Fleet) -> None:
    job, (_, robot) = fleet.job(max_attempts=2, retry_delay_seconds=0), fleet.admin.a_robot()
    robot.ok(give_up(robot, claim(robot)))
    assert fleet.now(job)["status"] == "pending"
    assert claim(robot)["attempt"] == 2


def test_an_unconfirmed_job_that_is_given_up_counts_no_attempt(fleet: Fleet) -> None:
    job, (_, robot) = fleet.job(), fleet.admin.a_robot()
    robot.ok(give_up(robot, robot.ok(robot.post("/api/runner/next-job", {"confirms": True}))["job"]))
    assert (fleet.now(job)["status"], fleet.now(job)["attempt"]) == ("pending", 0)


def test_a_job_that_was_not_started_counts_no_attempt_though_the_claim_was_confirmed(fleet: Fleet) -> None:
    job, (_, robot) = fleet.job(), fleet.admin.a_robot()
    claimed = claim(robot)
    refused(give_up(robot, claimed, started="x"), 422, "started")
    robot.ok(give_up(robot, claimed, started=False))
    assert (fleet.now(job)["status"], fleet.now(job)["attempt"], fleet.lost(job)) == ("pending", 0, [])
    refused(finish(robot, claimed), 404)
    robot.ok(finish(robot, claim(robot)))


# --- time limits


def test_a_job_that_runs_too_long_fails_and_its_robot_is_told_to_stop(fleet: Fleet) -> None:
    job, (_, robot) = fleet.job(timeout_seconds=60, max_attempts=5), fleet.admin.a_robot()
    claimed = claim(robot)
    assert claimed["timeout_seconds"] == 60
    assert fleet.now(job)["deadline_at"] is not None
    fleet.watch()
    assert fleet.now(job)["status"] == "running"
    fleet.change(deadline_at=utcnow() - SECOND)
    fleet.watch()
    late = fleet.now(job)
    assert (late["status"], late["error_code"]) == ("failed", "timeout")
    assert "60 s" in late["error_message"]
    assert beat(robot, claimed) == "stop"
    refused(finish(robot, claimed, status="failed", error_code="timeout"), 409)
    path = f"/api/runner/jobs/{job['id']}/stopped"
    robot.ok(robot.post(path, {"words": "it ended"}, headers={"X-Lease-Token": claimed["lease_token"]}))
    after = fleet.now(job)
    assert (after["status"], after["error_code"], after["stop_report"]) == ("failed", "timeout", "it ended")


def test_a_robot_may_see_first_that_a_job_runs_too_long(fleet: Fleet) -> None:
    job, (_, robot) = fleet.job(timeout_seconds=60, max_attempts=5), fleet.admin.a_robot()
    claimed = claim(robot)
    refused(finish(robot, claimed, status="failed", error_code="lease_lost"), 422, "error_code")
    robot.ok(finish(robot, claimed, status="failed", error_code="timeout", error_message="stopped after 60 s"))
    fleet.change(deadline_at=utcnow() - SECOND)
    fleet.watch()
    after = fleet.now(job)
    assert (after["status"], after["error_code"], after["error_message"]) == ("failed", "timeout", "stopped after 60 s")


def test_a_jump_of_the_clock_expires_nothing(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    job, (_, robot) = fleet.job(timeout_seconds=60), fleet.admin.a_robot()
    claimed = claim(robot)
    for jump in (timedelta(days=1), -timedelta(days=2), timedelta(hours=1)):
        monkeypatch.setattr(clock.guard, "_offset", clock.guard._offset - jump)
        fleet.change(lease_expires_at=utcnow() - SECOND, deadline_at=utcnow() - SECOND)
        sweep(fleet, monkeypatch)
        fleet.watch(watchdog.count_anew)
        clock.guard.look()
        sweep(fleet, monkeypatch)
        assert fleet.now(job)["status"] == "running"
        assert datetime.fromisoformat(fleet.now(job)["deadline_at"]) > utcnow() + 30 * SECOND
    assert beat(robot, claimed) == "valid"


def test_after_a_jump_of_the_clock_nothing_waits_longer_than_it_should(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "WAITS_BATCH", 1)
    jobs = [fleet.job(max_attempts=2, retry_delay_seconds=seconds) for seconds in (100, 200)]
    _, robot = fleet.admin.a_robot()
    for _ in jobs:
        fleet.lose(robot)
    fleet.change(available_at=utcnow() + timedelta(days=1))  # as if the clock had been set back by a day
    fleet.watch(watchdog.count_anew)
    for job, seconds in zip(jobs, (100, 200), strict=True):
        left = datetime.fromisoformat(fleet.now(job)["available_at"]) - utcnow()
        assert (seconds - 10) * SECOND < left <= seconds * SECOND


def sweep(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, seconds: float = 60) -> None:
    """Let the watchdog look, as if it had looked last so many seconds ago."""
    monkeypatch.setattr(watchdog, "pace", Pace(time.monotonic() - seconds))
    fleet.watch(watchdog.sweep)


@pytest.mark.shows_setting("jobs.sweep_seconds")
def test_the_watchdog_looks_as_often_as_the_settings_say(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    job, (_, robot) = fleet.job(), fleet.admin.a_robot()
    claim(robot)
    fleet.change(lease_expires_at=utcnow() - SECOND)
    fleet.admin.ok(fleet.admin.put("/api/settings/jobs", {"sweep_seconds": 20}))
    for seconds, status in ((10, "running"), (21, "failed")):
        sweep(fleet, monkeypatch, seconds)
        assert fleet.now(job)["status"] == status


# --- cancel and repeat


def test_a_cancelled_job_says_who_and_how_its_script_ended(fleet: Fleet, work: Work) -> None:
    path = f"/api/jobs/{work.job['id']}"
    canceled = work.admin.ok(work.admin.post(f"{path}/cancel"))
    assert (canceled["status"], canceled["canceled_by"], canceled["stop_report"]) == ("canceled", "admin", None)
    assert work.beat() == "stop"
    work.api.ok(work.send("stopped", {"words": "it ended by itself after SIGTERM"}))
    work.api.ok(work.send("stopped", {"words": "it ended by itself after SIGTERM"}))
    assert work.now()["stop_report"] == "it ended by itself after SIGTERM"
    refused(work.finish(result={"rows": 1}), 409)
    (attempt,) = fleet.lost({"id": work.job["id"]})
    assert (attempt["reason"], attempt["late_report"]["result"]) == ("canceled", {"rows": 1})


def test_only_what_was_cancelled_was_stopped(work: Work) -> None:
    refused(work.send("stopped", {"words": "x"}), 409, "nothing was to be stopped")
    work.api.ok(work.finish())
    refused(work.send("stopped", {"words": "x"}), 409, "nothing was to be stopped")


def test_of_cancel_and_result_at_once_one_wins(fleet: Fleet) -> None:
    for _ in range(10):
        job, (_, robot) = fleet.job(), fleet.admin.a_robot(f"r{utcnow().timestamp()}")
        claimed = claim(robot)
        barrier = threading.Barrier(2)

        def at_once(call: Callable[[], Any], barrier: threading.Barrier = barrier) -> int:
            barrier.wait()
            return int(call().status_code)

        client = Api(fleet.app.test_client(), **fleet.admin.headers)
        own = Api(fleet.app.test_client(), **robot.headers)
        with ThreadPoolExecutor(2) as pool:
            canceled = pool.submit(at_once, lambda j=job, c=client: c.post(f"/api/jobs/{j['id']}/cancel"))
            finished = pool.submit(at_once, lambda r=own, c=claimed: finish(r, c))
        assert sorted([canceled.result(), finished.result()]) == [200, 409]
        assert fleet.now(job)["status"] == ("canceled" if canceled.result() == 200 else "completed")


@pytest.mark.parametrize("databases", ["postgres"], indirect=True)  # SQLite lets nobody write in between
def test_a_job_that_is_claimed_while_it_is_cancelled_tells_its_robot_to_stop(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, (made, robot), claims = fleet.job(), fleet.admin.a_robot(), []
    elsewhere = Api(fleet.app.test_client(), **robot.headers)
    read = JobService.get

    def read_and_be_late(service: JobService, row_id: int) -> Job:
        found = read(service, row_id)
        if WRITE in db.session.info and not claims:
            with ThreadPoolExecutor(1) as pool:  # in a context, and so a session, of its own
                claims.append(pool.submit(claim, elsewhere).result())
        return found

    monkeypatch.setattr(JobService, "get", read_and_be_late)
    fleet.admin.ok(fleet.admin.post(f"/api/jobs/{job['id']}/cancel"))
    assert beat(robot, claims[0]) == "stop"
    assert [(row["attempt"], row["robot_id"]) for row in fleet.lost(job)] == [(1, made["id"])]


def test_a_job_that_has_ended_can_be_run_again_as_a_new_one(fleet: Fleet, work: Work) -> None:
    path = f"/api/jobs/{work.job['id']}"
    refused(work.admin.post(f"{path}/retry"), 409, "Only a job that has ended")
    work.api.ok(work.finish(status="failed"))
    again = work.admin.ok(work.admin.post(f"{path}/retry"))
    assert again["id"] != work.job["id"]
    assert (again["status"], again["retried_from_id"]) == ("pending", work.job["id"])
    assert work.now()["status"] == "failed"


def test_a_job_runs_as_its_process_says_unless_it_says_it_itself(fleet: Fleet) -> None:
    path = f"/api/processes/{fleet.process['id']}"
    options = {"timeout_seconds": 600, "max_attempts": 3, "retry_delay_seconds": 5}
    changed = fleet.admin.ok(fleet.admin.put(path, options))
    assert changed["version"] == fleet.process["version"]
    job = fleet.job(max_attempts=1, priority=7)
    assert {name: job[name] for name in (*options, "priority")} == {**options, "max_attempts": 1, "priority": 7}


@pytest.mark.parametrize(
    "body",
    [{"priority": 1001}, {"max_attempts": 0}, {"timeout_seconds": 0}, {"retry_delay_seconds": -1}, {"attempt": 2}],
)
def test_bad_options_make_no_job(fleet: Fleet, state: State, body: dict[str, int]) -> None:
    with state.unchanged():
        refused(fleet.admin.post("/api/jobs", {"process_id": fleet.process["id"], **body}), 422, *body)


# --- who takes which job


def test_the_more_urgent_job_comes_first_whomever_it_is_for(fleet: Fleet) -> None:
    row, robot = fleet.admin.a_robot()
    jobs = {
        name: fleet.job(priority=priority, robot_id=robot_id)
        for name, priority, robot_id in (
            ("old", 0, None),
            ("own", 0, row["id"]),
            ("own and urgent", 5, row["id"]),
            ("urgent", 5, None),
            ("most urgent", 9, None),
            ("not urgent", -1, None),
        )
    }
    order = []
    while claimed := claim(robot):
        order.append(next(name for name, job in jobs.items() if job["id"] == claimed["id"]))
        robot.ok(finish(robot, claimed))
    assert order == ["most urgent", "own and urgent", "urgent", "old", "own", "not urgent"]


def test_a_process_runs_no_more_jobs_at_once_than_it_allows(fleet: Fleet) -> None:
    fleet.admin.ok(fleet.admin.put(f"/api/processes/{fleet.process['id']}", {"max_running_jobs": 2}))
    for _ in range(4):
        fleet.job()
    other = fleet.admin.a_job(fleet.admin.a_process("Other"))
    robots = [fleet.admin.a_robot(f"r{number}")[1] for number in range(4)]
    first, second, third = (claim(robot) for robot in robots[:3])
    assert third["id"] == other["id"]
    assert claim(robots[3]) is None
    robots[0].ok(finish(robots[0], first))
    assert claim(robots[3])["process"]["id"] == second["process"]["id"] == fleet.process["id"]


def test_many_robots_at_once_do_not_exceed_the_limit_of_a_process(fleet: Fleet, state: State) -> None:
    fleet.admin.ok(fleet.admin.put(f"/api/processes/{fleet.process['id']}", {"max_running_jobs": 3}))
    for _ in range(12):
        fleet.job()
    robots = [fleet.admin.a_robot(f"r{number}")[1] for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda robot: claim(Api(fleet.app.test_client(), **robot.headers)), robots))
    assert len([job for job in claimed if job]) == 3
    assert [row["status"] for row in state.rows("jobs")].count("running") == 3


def test_many_robots_at_once_take_every_job_once(fleet: Fleet, state: State) -> None:
    rows = [fleet.admin.a_robot(f"r{number}") for number in range(8)]
    for number in range(16):
        fleet.job(robot_id=rows[number % 8][0]["id"] if number % 2 else None)
    taken: list[int] = []

    def work_off(robot: Api) -> None:
        own = Api(fleet.app.test_client(), **robot.headers)
        while job := claim(own):
            taken.append(job["id"])
            own.ok(finish(own, job))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work_off, [robot for _, robot in rows]))
    assert sorted(taken) == sorted(row["id"] for row in state.rows("jobs"))


@pytest.mark.shows_setting("jobs.draining")
def test_a_robot_or_server_that_drains_ends_its_work_and_gets_nothing_new(fleet: Fleet) -> None:
    fleet.job()
    second, (row, robot) = fleet.job(), fleet.admin.a_robot()
    job = claim(robot)
    path = f"/api/robots/{row['id']}"
    assert fleet.admin.ok(fleet.admin.post(f"{path}/drain"))["is_draining"] is True
    assert beat(robot, job) == "valid"
    robot.ok(finish(robot, job))
    assert claim(robot) is None
    fleet.admin.ok(fleet.admin.put("/api/settings/jobs", {"draining": True}))
    fleet.admin.ok(fleet.admin.post(f"{path}/resume"))
    assert claim(robot) is None
    fleet.admin.ok(fleet.admin.put("/api/settings/jobs", {"draining": False}))
    assert claim(robot)["id"] == second["id"]


def test_a_job_tells_why_it_waits(fleet: Fleet) -> None:
    (row, mine), (other, _) = fleet.admin.a_robot("mine"), fleet.admin.a_robot("other")
    fleet.admin.ok(fleet.admin.post(f"/api/robots/{row['id']}/heartbeat"))
    job = fleet.job(robot_id=row["id"])

    def reasons(robot_id: int) -> list[str]:
        (found,) = (robot for robot in fleet.waiting(job)["robots"] if robot["robot_id"] == robot_id)
        told: list[str] = found["reasons"]
        return told

    assert fleet.waiting(job)["waiting"] is True
    assert (reasons(row["id"]), fleet.waiting(job)["reasons"]) == ([], [])
    assert reasons(other["id"]) == [
        "The job is meant for another robot.",
        "The robot is offline: it does not ask for work.",
    ]
    fleet.admin.ok(fleet.admin.post(f"/api/robots/{row['id']}/drain"))
    assert reasons(row["id"]) == ["The robot is draining: it takes nothing new."]
    fleet.admin.ok(fleet.admin.post(f"/api/robots/{row['id']}/resume"))
    first = fleet.job(robot_id=row["id"], priority=5)
    assert claim(mine)["id"] == first["id"]
    assert reasons(row["id"]) == ["The robot runs another job."]
    fleet.admin.ok(fleet.admin.put(f"/api/processes/{fleet.process['id']}", {"max_running_jobs": 1}))
    assert "max_running_jobs" in fleet.waiting(job)["reasons"][0]
    fleet.admin.ok(fleet.admin.put("/api/settings/jobs", {"draining": True}))
    assert "jobs.draining" in fleet.waiting(job)["reasons"][1]
    assert fleet.waiting(first)["waiting"] is False
    assert fleet.waiting(first)["reasons"][0] == "The job is not pending."


def test_without_robots_a_job_waits_for_one(fleet: Fleet) -> None:
    told = fleet.waiting(fleet.job())
    assert told["robots"] == []
    assert "There are no robots" in told["reasons"][0]


def test_a_robot_claims_exactly_where_nothing_is_told_against_it(fleet: Fleet) -> None:
    """The claim and its explanation can't differ: each robot's reasons, but for being offline, decide."""
    rows = [fleet.admin.a_robot(f"r{number}") for number in range(3)]
    fleet.admin.ok(fleet.admin.post(f"/api/robots/{rows[1][0]['id']}/drain"))
    job = fleet.job(robot_id=rows[2][0]["id"])
    told = {robot["robot_id"]: robot["reasons"] for robot in fleet.waiting(job)["robots"]}
    for row, robot in rows:
        against = [reason for reason in told[row["id"]] if "offline" not in reason]
        assert (claim(robot) is None) == bool(against)
