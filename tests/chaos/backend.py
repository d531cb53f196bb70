"""The product on one database, driven by the steps of the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import delete, select
from werkzeug.exceptions import Conflict, NotFound

from bvo import registry
from bvo.database import db, transaction
from bvo_jobs import execution, watchdog
from bvo_jobs.models import Job
from bvo_jobs.service import JobService
from bvo_packages.models import Package
from bvo_processes.models import Process
from bvo_queues import processing
from bvo_queues import watchdog as item_watchdog
from bvo_queues.models import Queue, QueueItem
from bvo_queues.processing import Caller, Failure
from bvo_queues.service import QueueItemService
from bvo_robots.models import Robot

from .item_model import QUEUES, Taken
from .model import CONFLICT, DONE, NOT_FOUND, Claim

ROBOTS = 3
SWEEPS = (
    watchdog.end_waits,
    watchdog.expire_leases,
    watchdog.expire_deadlines,
    item_watchdog.end_waits,
    item_watchdog.release_orphans,
    item_watchdog.expire_leases,
)


class Backend:
    """The product on one database, with the model's numbers for what it calls by ids and tokens."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        with app.app_context(), transaction() as session:
            package = Package(name="p", version="1.0.0", scripts=["main.py"], sha256="0", size_bytes=1)
            session.add(process := Process(name="p", package=package, script_path="main.py"))
            session.add_all(robots := [Robot(name=f"r{number}") for number in range(ROBOTS)])
            for queue in QUEUES:
                terms = {"retry_delay_seconds": queue.delay, "lease_seconds": queue.lease}
                session.add(Queue(name=queue.name, max_retries=queue.max_retries, **terms))
            session.flush()
            self._process, self._robots = process.id, [robot.id for robot in robots]
        self.begin()

    def begin(self) -> None:
        self._jobs: list[int] = []
        self._tokens: dict[int, str] = {}
        self._items: list[int] = []
        self._item_tokens: dict[int, str] = {}
        with self._app.app_context(), transaction() as session:
            session.execute(delete(QueueItem))
            session.execute(delete(Job))

    def create(self, *, assigned: int | None, delay: int, timeout: int | None, **values: Any) -> None:
        robot_id = None if assigned is None else self._robots[assigned]
        given = {"retry_delay_seconds": delay, "timeout_seconds": timeout, "robot_id": robot_id, **values}
        with self._app.app_context():
            self._jobs.append(_service().create({"process_id": self._process, **given}).id)

    def claim(self, robot: int, lease: int, *, confirms: bool) -> int | None:
        """The number of the job that it gets; its token is kept under the number of the lease."""
        with self._app.app_context():
            claimed = execution.claim(self._robots[robot], confirms=confirms)
            if claimed is None:
                return None
            self._tokens[lease] = claimed.lease_token
            return self._jobs.index(claimed.job.id)

    def renew(self, claim: Claim) -> str:
        job = self._jobs[claim.job]
        with self._app.app_context():
            return execution.renew(self._robots[claim.robot], {job: self._tokens[claim.lease]})[job]

    def finish(self, claim: Claim, status: str, outcome: str) -> str:
        body = {"status": status, "result": {"outcome": outcome}}
        holder = self._jobs[claim.job], self._robots[claim.robot], self._tokens[claim.lease]
        return self._outcome(lambda: execution.finish(*holder, body))

    def cancel(self, number: int) -> str:
        return self._outcome(lambda: _service().cancel(self._jobs[number]))

    def retry(self, number: int) -> str:
        return self._outcome(lambda: self._jobs.append(_service().retry(self._jobs[number]).id))

    def sweep(self) -> None:
        for look in SWEEPS:
            with self._app.app_context():
                look()

    def jump(self) -> None:
        with self._app.app_context():
            watchdog.count_anew()
            item_watchdog.count_anew()

    def add(self, queue: int, priority: int) -> None:
        body = {"queue_name": QUEUES[queue].name, "priority": priority}
        with self._app.app_context():
            self._items.append(registry.current().service(QueueItemService).create(body).id)

    def take(self, claim: Claim, queue: int, lease: int) -> int | str | None:
        """The number of the item that the job gets; its token is kept under the number of the lease."""
        try:
            with self._app.app_context():
                taken = processing.claim(self._caller(claim), QUEUES[queue].name)
        except Conflict:
            return CONFLICT
        if taken is None:
            return None
        self._item_tokens[lease] = taken.item_lease
        return self._items.index(taken.item.id)

    def renew_item(self, taken: Taken) -> str:
        return self._outcome(lambda: processing.renew(*self._about(taken)))

    def settle(self, taken: Taken, how: str) -> str:
        about = self._about(taken)
        failure = Failure(kind="business" if how == "business" else "application", message=how)
        ways: dict[str, Callable[[], object]] = {
            "complete": lambda: processing.complete(*about, {"how": how}),
            "release": lambda: processing.release(*about),
        }
        return self._outcome(ways.get(how, lambda: processing.fail(*about, failure)))

    def _about(self, taken: Taken) -> tuple[int, Caller]:
        return self._items[taken.item], self._caller(taken.claim, self._item_tokens[taken.lease])

    def _caller(self, claim: Claim, item_lease: str = "") -> Caller:
        return Caller(robot_id=self._robots[claim.robot], job_lease=self._tokens[claim.lease], item_lease=item_lease)

    def seen_items(self) -> list[Any]:
        """As the model shows its items."""
        columns = (QueueItem.status, QueueItem.attempt, QueueItem.retries, QueueItem.error_code)
        query = select(*columns, QueueItem.available_at.is_not(None)).order_by(QueueItem.id)
        with self._app.app_context():
            return [tuple(row) for row in db.session.execute(query)]

    def seen(self) -> list[Any]:
        """As the model shows its jobs."""
        columns = (Job.status, Job.attempt, Job.error_code, Job.robot_id, Job.available_at)
        with self._app.app_context():
            return [
                (status, attempt, error_code, None if robot is None else self._robots.index(robot), bool(available_at))
                for status, attempt, error_code, robot, available_at in db.session.execute(
                    select(*columns).order_by(Job.id)
                )
            ]

    def _outcome(self, call: Callable[[], object]) -> str:
        try:
            with self._app.app_context():
                call()
        except Conflict:
            return CONFLICT
        except NotFound:
            return NOT_FOUND
        return DONE


def _service() -> JobService:
    return registry.current().service(JobService)
