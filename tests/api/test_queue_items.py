"""Queue items in the hands of jobs: claimed once, kept by lease, tried again, expired; and many at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from bvo import clock
from bvo.database import db, transaction, utcnow
from bvo_jobs import watchdog as job_watchdog
from bvo_jobs.models import Job
from bvo_queues import watchdog
from bvo_queues.api import MAX_BULK_BYTES
from bvo_queues.models import QueueItem
from support.api import Api
from support.problems import refused
from support.state import State
from support.work import Work, claim

ITEMS, BULK = "/api/queue-items", "/api/queue-items/bulk"
SECOND = timedelta(seconds=1)


class Counter:
    """A queue named `orders`, jobs that work at it, and a watchdog that looks when it is told to."""

    def __init__(self, app: Flask, admin: Api) -> None:
        self.app, self.admin = app, admin
        self.queue = admin.ok(admin.post("/api/queues", {"name": "orders", "retry_delay_seconds": 0}))

    def change_queue(self, **values: Any) -> None:
        self.admin.ok(self.admin.put(f"/api/queues/{self.queue['id']}", values))

    def item(self, **body: Any) -> Any:
        return self.admin.ok(self.admin.post(ITEMS, {"queue_id": self.queue["id"], **body}))

    def now(self, item: Any) -> Any:
        return self.admin.ok(self.admin.get(f"{ITEMS}/{item['id']}"))

    def status(self, item: Any) -> str:
        status: str = self.now(item)["status"]
        return status

    def change(self, **values: Any) -> None:
        """What only time changes."""
        with self.app.app_context(), transaction() as session:
            session.execute(update(QueueItem).values(values))

    def watch(self, *looks: Callable[[], None]) -> None:
        usual = (watchdog.end_waits, watchdog.expire_deadlines, watchdog.release_orphans, watchdog.expire_leases)
        for look in looks or usual:
            with self.app.app_context():
                look()


class Worker:
    """What a job's runner sends about items, under the job's lease."""

    def __init__(self, api: Api, job_lease: str) -> None:
        self.api, self.job_lease = api, job_lease

    def ask(self, name: str = "orders", **headers: str) -> TestResponse:
        return self._post(f"queues/{name}/next", {}, **headers)

    def next(self, name: str = "orders", **headers: str) -> Any:
        return self.api.ok(self.ask(name, **headers))["item"]

    def add(self, name: str = "orders", key: str = "", **body: Any) -> TestResponse:
        return self._post(f"queues/{name}/items", body, **({"Idempotency-Key": key} if key else {}))

    def tell(self, part: str, item: Any, **body: Any) -> TestResponse:
        return self._post(f"queue-items/{item['id']}/{part}", {"item_lease": item["item_lease"], **body})

    def complete(self, item: Any, result: Any = None) -> TestResponse:
        return self.tell("complete", item, result=result)

    def fail(self, item: Any, **body: Any) -> TestResponse:
        return self.tell("fail", item, **{"error_message": "no", **body})

    def _post(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.api.post(f"/api/runner/{path}", body, headers={"X-Lease-Token": self.job_lease, **headers})


@pytest.fixture
def counter(app: Flask, admin: Api) -> Counter:
    return Counter(app, admin)


@pytest.fixture
def worker(work: Work) -> Worker:
    return Worker(work.api, work.lease)


@pytest.fixture
def hire(counter: Counter, work: Work) -> Callable[[], Worker]:
    """Makes another job, and a robot that runs it; with a client of its own, for a thread of its own."""
    made = iter(range(2, 100))

    def hire() -> Worker:
        counter.admin.a_job(work.job["process"])
        robot = counter.admin.a_robot(f"robot-{next(made)}")[1]
        return Worker(Api(counter.app.test_client(), **robot.headers), claim(robot)["lease_token"])

    return hire


# --- claiming


def test_a_job_gets_the_items_by_priority_and_age_and_settles_them(
    counter: Counter, worker: Worker, work: Work
) -> None:
    made = {name: counter.item(reference=name, priority=rank) for name, rank in (("a", 0), ("b", 5), ("c", 0))}
    counter.item(payload={"order": 1}, priority=-1)
    order = []
    while item := worker.next():
        order.append(item["reference"])
        assert (item["attempt"], item["retries"], item["lease_seconds"]) == (1, 0, 300)
        worker.api.ok(worker.complete(item, {"seen": item["payload"]}))
    assert order == ["b", "a", "c", None]
    done = counter.now(made["b"])
    assert (done["status"], done["priority"], done["attempt"], done["result"]) == ("completed", 5, 1, {"seen": None})
    assert (done["job_id"], done["job_attempt"], done["locked_by_robot_id"]) == (work.job["id"], 1, None)


def test_an_item_in_progress_says_who_works_on_it(counter: Counter, worker: Worker, work: Work) -> None:
    item = counter.item()
    worker.next()
    busy = counter.now(item)
    assert (busy["status"], busy["locked_by_robot_id"], busy["job_id"]) == (
        "in_progress",
        work.robot["id"],
        work.job["id"],
    )
    assert busy["locked_at"] is not None
    assert "lease" not in str(busy)


def test_each_queue_has_its_own_items(counter: Counter, worker: Worker) -> None:
    counter.admin.ok(counter.admin.post("/api/queues", {"name": "a/b next"}))
    counter.item()
    other = counter.admin.ok(counter.admin.post(ITEMS, {"queue_name": "a/b next"}))
    assert worker.next("a/b%20next")["id"] == other["id"]
    assert worker.next("a/b%20next") is None
    refused(worker.ask("none"), 404, "'none'")


def test_a_closed_queue_is_worked_off(counter: Counter, worker: Worker) -> None:
    item = counter.item()
    counter.change_queue(is_active=False)
    assert worker.next()["id"] == item["id"]
    refused(worker.add(), 409, "not active")


def test_many_jobs_at_once_take_each_item_once_and_none_stops_too_early(
    counter: Counter, hire: Callable[[], Worker]
) -> None:
    workers, start = [hire() for _ in range(6)], threading.Barrier(6)
    counter.admin.ok(counter.admin.post(BULK, {"queue_name": "orders", "items": [{"payload": n} for n in range(60)]}))
    taken: list[int] = []

    def work_off(worker: Worker) -> None:
        start.wait()
        while item := worker.next():
            taken.append(item["payload"])
            worker.api.ok(worker.complete(item))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work_off, workers))
    assert sorted(taken) == list(range(60))


def test_an_item_that_somebody_only_looks_at_does_not_make_the_queue_look_empty(
    counter: Counter, hire: Callable[[], Worker]
) -> None:
    """On SQLite the writer is waited for anyhow; on PostgreSQL a claim skips what is locked."""
    item, worker, locked = counter.item(), hire(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with counter.app.app_context(), transaction() as session:
            session.execute(select(QueueItem.id).where(QueueItem.id == item["id"]).with_for_update())
            asked = pool.submit(lambda: (locked.set(), worker.next())[1])
            assert locked.wait(10)
            with pytest.raises(TimeoutError):
                asked.result(0.3)
        assert asked.result(10)["id"] == item["id"]


def test_a_claim_that_is_repeated_with_its_key_gives_the_same_item_under_a_new_lease(
    counter: Counter, worker: Worker
) -> None:
    first, second = counter.item(), counter.item()
    lost = worker.next(**{"Idempotency-Key": "k1"})
    again = worker.next(**{"Idempotency-Key": "k1"})
    assert lost["id"] == again["id"] == first["id"]
    assert again["attempt"] == 1
    refused(worker.complete(lost), 409)
    worker.api.ok(worker.complete(again))
    assert worker.next(**{"Idempotency-Key": "k2"})["id"] == second["id"]


# --- failures


def test_an_application_failure_is_tried_again_as_often_as_the_queue_allows(counter: Counter, worker: Worker) -> None:
    counter.change_queue(max_retries=2)
    item = counter.item()
    for retries in range(3):
        taken = worker.next()
        assert (taken["retries"], taken["attempt"]) == (retries, retries + 1)
        answer = worker.api.ok(worker.fail(taken, error_message="no network", error_code="dns"))
        assert answer == {"status": "new" if retries < 2 else "failed"}
    failed = counter.now(item)
    assert (failed["status"], failed["retries"], failed["attempt"]) == ("failed", 2, 3)
    assert (failed["failure_kind"], failed["error_code"], failed["error_message"]) == (
        "application",
        "dns",
        "no network",
    )
    assert worker.next() is None


def test_a_business_failure_is_never_tried_again(counter: Counter, worker: Worker) -> None:
    item = counter.item()
    assert worker.api.ok(worker.fail(worker.next(), kind="business", error_message="no such customer")) == {
        "status": "failed"
    }
    failed = counter.now(item)
    assert (failed["failure_kind"], failed["retries"]) == ("business", 0)
    assert worker.next() is None


def test_an_item_that_succeeds_after_a_failure_has_no_error_any_more(counter: Counter, worker: Worker) -> None:
    item = counter.item()
    worker.fail(worker.next(), error_code="dns")
    worker.complete(worker.next(), 1)
    done = counter.now(item)
    assert (done["status"], done["result"], done["retries"]) == ("completed", 1, 1)
    assert [done[name] for name in ("failure_kind", "error_code", "error_message")] == [None] * 3


def test_each_wait_is_twice_as_long_unless_the_script_says_how_long(counter: Counter, worker: Worker) -> None:
    counter.change_queue(retry_delay_seconds=100, max_retries=9)
    item, waits = counter.item(), []
    for body in ({}, {}, {"retry_after_seconds": 7000}):
        worker.api.ok(worker.fail(worker.next(), **body))
        assert worker.next() is None
        waits.append(datetime.fromisoformat(counter.now(item)["available_at"]) - utcnow())
        counter.watch()
        assert worker.next() is None
        counter.change(available_at=utcnow() - SECOND)
        counter.watch()
    assert [round(wait.total_seconds(), -1) for wait in waits] == [100, 200, 7000]
    worker.api.ok(worker.fail(worker.next(), retry_after_seconds=0))
    assert worker.next()["retries"] == 4


def test_an_item_that_is_given_back_counts_no_attempt(counter: Counter, worker: Worker) -> None:
    item = counter.item()
    assert worker.api.ok(worker.tell("release", worker.next())) == {"status": "new"}
    back = counter.now(item)
    assert (back["status"], back["attempt"], back["retries"], back["locked_at"]) == ("new", 0, 0, None)
    assert worker.next()["attempt"] == 1


# --- fencing


def test_what_is_reported_twice_is_accepted_twice_and_anything_else_is_refused(
    counter: Counter, worker: Worker, state: State
) -> None:
    counter.change_queue(retry_delay_seconds=60)
    counter.item()
    counter.item()
    item = worker.next()
    worker.api.ok(worker.complete(item, {"sum": 3}))
    with state.unchanged():
        worker.api.ok(worker.complete(item, {"sum": 3}))
        refused(worker.complete(item, {"sum": 4}), 409, "Stop working on it")
        refused(worker.fail(item), 409)
        refused(worker.tell("release", item), 409)
        refused(worker.tell("renew", item), 409)
    item = worker.next()
    worker.api.ok(worker.fail(item))
    with state.unchanged():
        assert worker.api.ok(worker.fail(item)) == {"status": "new"}
        refused(worker.fail(item, error_message="another one"), 409)


@pytest.mark.parametrize("part", ["renew", "complete", "fail", "release"])
def test_only_the_job_that_holds_an_item_may_act_on_it(
    counter: Counter, worker: Worker, hire: Callable[[], Worker], state: State, part: str
) -> None:
    counter.item()
    item, other = worker.next(), hire()
    body = {"error_message": "x"} if part == "fail" else {}
    with state.unchanged():
        refused(other.tell(part, item, **body), 409, "does not hold")
        refused(worker.tell(part, {**item, "item_lease": "another"}, **body), 409, "does not hold")
        refused(Worker(worker.api, "another").tell(part, item, **body), 409, "lease is lost")
        refused(Worker(worker.api, "").tell(part, item, **body), 422, "X-Lease-Token")
        refused(Worker(other.api, worker.job_lease).tell(part, item, **body), 409)
        refused(worker.tell(part, {**item, "id": 99}, **body), 404)
        refused(worker.api.post(f"/api/runner/queue-items/{item['id']}/{part}", body), 422, "item_lease")
    worker.api.ok(worker.tell(part, item, **body))


def test_only_a_running_job_gets_items(counter: Counter, worker: Worker, work: Work, state: State) -> None:
    counter.item()
    idle = counter.admin.a_robot("robot-2")[1]
    for nobody, status in ((Worker(idle, work.lease), 409), (Worker(idle, ""), 422), (Worker(work.api, ""), 422)):
        with state.unchanged():
            refused(nobody.ask(), status)
            refused(nobody.add(), status)
    work.api.ok(work.finish())
    refused(worker.ask(), 409)


def test_a_lease_that_is_renewed_holds_and_one_that_is_not_is_lost(
    counter: Counter, worker: Worker, state: State
) -> None:
    item, held = counter.item(), worker.next()
    counter.change(lease_expires_at=utcnow() - SECOND)
    tag = counter.admin.get(f"{ITEMS}/{item['id']}").headers["ETag"]
    assert worker.api.ok(worker.tell("renew", held)) == {"lease_seconds": 300}
    assert counter.admin.get(f"{ITEMS}/{item['id']}").headers["ETag"] == tag
    counter.watch()
    assert counter.status(item) == "in_progress"
    counter.change(lease_expires_at=utcnow() - SECOND)
    counter.watch()
    lost = counter.now(item)
    assert (lost["status"], lost["error_code"], lost["failure_kind"], lost["retries"]) == (
        "new",
        "lease_lost",
        "application",
        1,
    )
    assert worker.next()["attempt"] == 2
    with state.unchanged():
        refused(worker.complete(held), 409)
        refused(worker.tell("renew", held), 409)


def test_many_watchdogs_at_once_lose_an_item_once(counter: Counter, worker: Worker, state: State) -> None:
    for _ in range(5):
        counter.item()
        worker.next()
    counter.change(lease_expires_at=utcnow() - SECOND)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: counter.watch(watchdog.expire_leases), range(8)))
    assert [row["retries"] for row in state.rows("queue_items")] == [1] * 5
    assert [row["action"] for row in state.rows("events")].count("queue_item.requeued") == 5


# --- the end of a job


def end_by_result(counter: Counter, work: Work) -> None:
    work.api.ok(work.finish())


def end_by_failure(counter: Counter, work: Work) -> None:
    work.api.ok(work.finish(status="failed"))


def end_by_cancel(counter: Counter, work: Work) -> None:
    work.admin.ok(work.admin.post(f"/api/jobs/{work.job['id']}/cancel"))


def end_by_silence(counter: Counter, work: Work) -> None:
    _change_job(counter, work, lease_expires_at=utcnow() - SECOND)
    counter.watch(job_watchdog.expire_leases)


def end_by_deadline(counter: Counter, work: Work) -> None:
    _change_job(counter, work, deadline_at=utcnow() - SECOND)
    counter.watch(job_watchdog.expire_deadlines)


def next_attempt(counter: Counter, work: Work) -> None:
    _change_job(counter, work, max_attempts=2, retry_delay_seconds=0, lease_expires_at=utcnow() - SECOND)
    counter.watch(job_watchdog.expire_leases)
    assert claim(work.api)["attempt"] == 2


def _change_job(counter: Counter, work: Work, **values: Any) -> None:
    with counter.app.app_context(), transaction() as session:
        session.execute(update(Job).where(Job.id == work.job["id"]).values(values))


@pytest.mark.parametrize(
    "end", [end_by_result, end_by_failure, end_by_cancel, end_by_silence, end_by_deadline, next_attempt]
)
def test_the_end_of_a_job_releases_its_items(
    counter: Counter, worker: Worker, work: Work, hire: Callable[[], Worker], end: Callable[[Counter, Work], None]
) -> None:
    mine, done, theirs = counter.item(), counter.item(), counter.item()
    held = worker.next()
    worker.api.ok(worker.complete(worker.next()))
    other = hire()
    assert other.next()["id"] == theirs["id"]
    counter.watch()
    assert counter.status(mine) == "in_progress"
    end(counter, work)
    refused(worker.complete(held), 409)
    counter.watch()
    back = counter.now(mine)
    assert (back["status"], back["error_code"], back["retries"]) == ("new", "job_ended", 1)
    assert counter.status(done) == "completed"
    assert counter.status(theirs) == "in_progress"


def test_the_end_of_a_job_counts_as_a_failure(counter: Counter, worker: Worker, work: Work) -> None:
    counter.change_queue(max_retries=0)
    item = counter.item()
    worker.next()
    end_by_result(counter, work)
    counter.watch()
    failed = counter.now(item)
    assert (failed["status"], failed["failure_kind"]) == ("failed", "application")
    assert f"the job {work.job['id']} ended" in failed["error_message"]


def test_what_a_person_works_on_has_no_lease_and_stays(counter: Counter) -> None:
    item = counter.item()
    counter.admin.ok(counter.admin.put(f"{ITEMS}/{item['id']}", {"status": "in_progress"}))
    counter.watch()
    assert counter.status(item) == "in_progress"


def test_a_person_who_settles_an_item_takes_it_from_its_job(counter: Counter, worker: Worker) -> None:
    item, held = counter.item(), worker.next()
    counter.admin.ok(counter.admin.put(f"{ITEMS}/{item['id']}", {"status": "completed", "result": "by hand"}))
    refused(worker.complete(held), 409)
    assert counter.now(item)["result"] == "by hand"
    again = counter.item()
    worker.next()
    for status in ("new", "in_progress"):
        counter.admin.ok(counter.admin.put(f"{ITEMS}/{again['id']}", {"status": status}))
    counter.watch()
    assert (counter.now(again)["status"], counter.now(again)["job_id"]) == ("in_progress", None)


def test_of_an_operator_and_a_job_at_once_one_ends_the_item(counter: Counter, hire: Callable[[], Worker]) -> None:
    worker = hire()
    for _ in range(5):
        item, start = counter.item(), threading.Barrier(2)
        held = worker.next()

        def by_hand(item: Any = item, start: threading.Barrier = start) -> int:
            api = Api(counter.app.test_client(), **counter.admin.headers)
            start.wait()
            return api.put(f"{ITEMS}/{item['id']}", {"status": "abandoned"}).status_code

        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(by_hand)
            start.wait()
            mine = worker.complete(held).status_code
            assert sorted([mine, other.result()]) == [200, 409]
        assert counter.status(item) == ("completed" if mine == 200 else "abandoned")


# --- times


def test_a_deferred_item_waits(counter: Counter, worker: Worker) -> None:
    later = (utcnow() + timedelta(hours=1)).isoformat()
    item = counter.item(defer_until=later)
    assert datetime.fromisoformat(item["available_at"]) == datetime.fromisoformat(later)
    counter.watch()
    assert worker.next() is None
    counter.admin.ok(counter.admin.put(f"{ITEMS}/{item['id']}", {"defer_until": None}))
    assert worker.next()["id"] == item["id"]
    assert counter.item(defer_until=(utcnow() - SECOND).isoformat())["available_at"] is None


@pytest.mark.parametrize("claimed", [False, True])
def test_an_item_that_is_not_completed_by_its_deadline_is_abandoned(
    counter: Counter, worker: Worker, claimed: bool
) -> None:
    item = counter.item(deadline_at=(utcnow() + timedelta(hours=1)).isoformat())
    held = worker.next() if claimed else None
    counter.watch()
    assert counter.status(item) == ("in_progress" if claimed else "new")
    counter.change(deadline_at=utcnow() - SECOND)
    assert worker.next() is None
    counter.watch()
    late = counter.now(item)
    assert (late["status"], late["error_code"]) == ("abandoned", "expired")
    if held:
        refused(worker.complete(held), 409)


def test_an_item_that_ended_before_its_deadline_stays_as_it_is(counter: Counter, worker: Worker) -> None:
    item = counter.item(deadline_at=(utcnow() + timedelta(hours=1)).isoformat())
    worker.complete(worker.next())
    counter.change(deadline_at=utcnow() - SECOND)
    counter.watch()
    assert counter.status(item) == "completed"


def test_an_expired_item_comes_back_with_a_later_deadline_only(counter: Counter) -> None:
    item = counter.item(deadline_at=(utcnow() + timedelta(hours=1)).isoformat())
    counter.change(deadline_at=utcnow() - SECOND)
    counter.watch()
    path = f"{ITEMS}/{item['id']}"
    refused(counter.admin.put(path, {"status": "new"}), 409, "deadline_at")
    assert counter.admin.ok(counter.admin.put(path, {"status": "new", "deadline_at": None}))["status"] == "new"


def test_a_jump_of_the_clock_takes_no_item_from_its_job(
    counter: Counter, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, held = counter.item(), worker.next()
    for jump in (timedelta(days=1), -timedelta(days=2)):
        monkeypatch.setattr(clock.guard, "_offset", clock.guard._offset - jump)
        counter.change(lease_expires_at=utcnow() - SECOND)
        counter.watch(watchdog.sweep)
        counter.watch(watchdog.count_anew)
        clock.guard.look()
        counter.watch(watchdog.sweep)
        assert counter.status(item) == "in_progress"
    with counter.app.app_context():
        expires_at = db.session.scalar(select(QueueItem.lease_expires_at))
    assert expires_at is not None
    assert expires_at > utcnow() + timedelta(seconds=290)
    worker.api.ok(worker.complete(held))


def test_after_a_jump_of_the_clock_a_retry_waits_as_long_as_it_should(counter: Counter, worker: Worker) -> None:
    counter.change_queue(retry_delay_seconds=100)
    deferred = counter.item(defer_until=(utcnow() + timedelta(hours=3)).isoformat())
    item = counter.item()
    worker.fail(worker.next())
    with counter.app.app_context(), transaction() as session:  # as if the clock had been set back by a day
        far = update(QueueItem).where(QueueItem.id == item["id"]).values(available_at=utcnow() + timedelta(days=1))
        session.execute(far)
    counter.watch(watchdog.count_anew)
    waits = [datetime.fromisoformat(counter.now(each)["available_at"]) - utcnow() for each in (item, deferred)]
    assert 90 * SECOND < waits[0] <= 100 * SECOND
    assert waits[1] > timedelta(hours=2)


def test_the_watchdog_looks_at_everything(counter: Counter, worker: Worker) -> None:
    waiting, late = counter.item(), counter.item(deadline_at=(utcnow() + timedelta(hours=1)).isoformat())
    with counter.app.app_context(), transaction() as session:
        past = utcnow() - SECOND
        session.execute(update(QueueItem).where(QueueItem.id == waiting["id"]).values(available_at=past))
        session.execute(update(QueueItem).where(QueueItem.id == late["id"]).values(deadline_at=past))
    counter.watch(watchdog.sweep)
    assert (counter.now(waiting)["available_at"], counter.status(late)) == (None, "abandoned")


# --- adding


def test_a_job_adds_an_item_once_under_a_key(counter: Counter, worker: Worker, state: State) -> None:
    body = {"payload": '{"kept": "as it is"}', "reference": "r1", "priority": 3}
    added = worker.api.ok(worker.add(key="k1", **body))
    with state.unchanged():
        assert worker.api.ok(worker.add(key="k1", **body)) == added
    assert worker.api.ok(worker.add(key="k2", **body)) != added
    shown = counter.now(added)
    assert {name: shown[name] for name in body} == body
    refused(worker.add("none"), 404, "'none'")
    refused(worker.add(priority="x"), 422, "priority")


def test_a_queue_may_take_each_reference_once(counter: Counter, worker: Worker, state: State) -> None:
    counter.item(reference="old")
    counter.item(reference="old")
    counter.change_queue(unique_references=True)
    counter.item(reference="r1")
    other = counter.admin.ok(counter.admin.post("/api/queues", {"name": "other", "unique_references": True}))
    counter.admin.ok(counter.admin.post(ITEMS, {"queue_id": other["id"], "reference": "r1"}))
    free = [counter.item(), counter.item(), counter.item(reference="r2")][2]
    with state.unchanged():
        for taken in ("r1", "old"):
            refused(counter.admin.post(ITEMS, {"queue_name": "orders", "reference": taken}), 409, repr(taken))
            refused(worker.add(reference=taken), 409, repr(taken))
            refused(counter.admin.put(f"{ITEMS}/{free['id']}", {"reference": taken}), 409, repr(taken))
    counter.admin.ok(counter.admin.put(f"{ITEMS}/{free['id']}", {"reference": "r3"}))
    refused(counter.admin.post(ITEMS, {"queue_name": "orders", "reference": "r3"}), 409)
    counter.item(reference="r2")


def test_of_many_with_one_reference_at_once_one_is_added(counter: Counter, state: State) -> None:
    counter.change_queue(unique_references=True)
    start = threading.Barrier(6)

    def add(number: int) -> int:
        api = Api(counter.app.test_client(), **counter.admin.headers)
        start.wait()
        return api.post(ITEMS, {"queue_name": "orders", "reference": "r1", "payload": number}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(add, range(6))) == [201, 409, 409, 409, 409, 409]
    assert len(state.rows("queue_items")) == 1


def test_ten_thousand_items_are_added_with_one_event(counter: Counter, state: State, worker: Worker) -> None:
    counter.change_queue(unique_references=True)
    items = [{"reference": f"r{number}", "payload": {"number": number}} for number in range(10_000)]
    items[7] |= {"priority": 9, "payload": '{"seven": 7}'}
    before = len(state.rows("events"))
    answer = counter.admin.ok(counter.admin.post(BULK, {"queue_name": "orders", "items": items}))
    assert answer["count"] == len(set(answer["ids"])) == 10_000
    *earlier, event = state.rows("events")
    assert len(earlier) == before
    assert (event["action"], event["entity_name"]) == ("queue.items_added", "orders")
    assert "10000 items" in event["message"]
    first = worker.next()
    assert (first["id"], first["payload"]) == (answer["ids"][7], {"seven": 7})
    last = counter.now({"id": answer["ids"][-1]})
    assert (last["reference"], last["status"]) == ("r9999", "new")
    refused(counter.admin.post(BULK, {"queue_name": "orders", "items": [{"reference": "r5"}]}), 409, "'r5'")


def test_of_many_items_with_a_bad_one_none_is_added(counter: Counter, state: State) -> None:
    def bulk(items: Any, **body: Any) -> TestResponse:
        return counter.admin.post(BULK, {"queue_name": "orders", "items": items, **body})

    past = (utcnow() - SECOND).isoformat()
    with state.unchanged():
        bad = [{}, {"priority": "x"}, {"deadline_at": past}, {"defer_until": "soon"}, {"status": "completed"}, 7]
        errors = refused(bulk(bad), 422)["errors"]
        assert [name.split(".")[1] for name in errors] == ["1", "2", "3", "4", "5"]
        refused(bulk([]), 422, "items")
        refused(bulk([{}] * 10_001), 422, "items")
        refused(bulk({}), 422, "items")
        refused(bulk([{"payload": "\0"}]), 422, "payload")
        refused(bulk([{}], queue_name="none"), 422, "Queue does not exist")
        refused(counter.admin.post(BULK, {"items": [{}]}), 422, "queue_id or queue_name")
        too_large = b" " * (MAX_BULK_BYTES + 1)
        refused(counter.admin.post(BULK, data=too_large, content_type="application/json"), 413)
    counter.change_queue(unique_references=True)
    with state.unchanged():
        repeated = [{"reference": "a"}, {}, {"reference": "b"}, {"reference": "a"}, {}]
        assert list(refused(bulk(repeated), 422)["errors"]) == ["items.0.reference", "items.3.reference"]
    counter.change_queue(is_active=False)
    refused(bulk([{}]), 409, "not active")


def test_many_items_that_are_sent_again_with_a_key_are_added_once(counter: Counter, state: State) -> None:
    key = {"Idempotency-Key": "k1"}
    sent = [
        counter.admin.ok(counter.admin.post(BULK, {"queue_name": "orders", "items": [{}, {}]}, headers=key))
        for _ in range(2)
    ]
    assert sent[0] == sent[1]
    assert len(state.rows("queue_items")) == 2


@pytest.mark.parametrize(
    ("payload", "kept"),
    [("NaN", "NaN"), ('"\\u0000"', '"\\u0000"'), ("[" * 100_000, "[" * 100_000), ("1e999", "1e999")],
    ids=["NaN", "NUL", "deep", "infinite"],
)
def test_json_in_a_string_that_no_database_keeps_stays_a_string(counter: Counter, payload: str, kept: str) -> None:
    assert counter.now(counter.item(payload=payload))["payload"] == kept


@pytest.mark.parametrize(
    "body",
    [
        {"lease_seconds": 14},
        {"retry_delay_seconds": -1},
        {"max_retries": -1},
        {"unique_references": "maybe"},
        {"lease_seconds": None},
    ],
)
def test_bad_options_make_no_queue(admin: Api, state: State, body: dict[str, Any]) -> None:
    with state.unchanged():
        refused(admin.post("/api/queues", {"name": "q", **body}), 422, *body)


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "other"},
        {"error_message": "x" * 10_001},
        {"error_message": None},
        {"retry_after_seconds": -1},
        {"retry_after_seconds": 10**9},
        {"error_code": "x" * 101},
    ],
)
def test_a_bad_failure_is_refused(counter: Counter, worker: Worker, state: State, body: dict[str, Any]) -> None:
    counter.item()
    item = worker.next()
    with state.unchanged():
        refused(worker.fail(item, **body), 422, *body)


def test_an_operator_tries_a_failed_item_again_also_after_its_deadline(
    counter: Counter, worker: Worker, admin: Api, state: State
) -> None:
    item = counter.item()
    with state.unchanged():
        refused(admin.post(f"{ITEMS}/{item['id']}/retry"), 409, "is new")
    worker.fail(worker.next(), kind="business")
    again = admin.ok(admin.post(f"{ITEMS}/{item['id']}/retry"))
    assert (again["status"], again["retries"]) == ("new", 1)
    counter.change(deadline_at=utcnow() - SECOND)
    counter.watch()
    assert counter.status(item) == "abandoned"
    again = admin.ok(admin.post(f"{ITEMS}/{item['id']}/retry"))
    assert (again["status"], again["deadline_at"]) == ("new", None)
