"""Looks into the database all the time: what has ended must never change, what has run out must not stay."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from bvo_jobs import states
from bvo_jobs.models import Job
from bvo_queues.models import QueueItem

if TYPE_CHECKING:
    from .world import World

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
FINAL = tuple(status for status in states.STATES if states.is_final(status))
MAY_CHANGE = {"stop_report"}
"""What is added to a job that has ended: how its script was stopped."""
ITEM_FINAL = ("completed", "failed", "abandoned")


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """A job or an item that its holder should have lost: since when, and when it was seen, on the monotonic clock."""

    id: int
    since: float
    seen: float


class Ended:
    """The rows of a table that have ended, each as it was seen first."""

    def __init__(self, world: World, model: Any, final: tuple[str, ...]) -> None:
        self._world, self._table, self._final = world, model.__table__, final
        self._floor = 0
        self.rows: dict[int, dict[str, Any]] = {}

    def look(self) -> None:
        columns = self._table.c
        for row in self._world.tables.rows(self._table, columns.id > self._floor, columns.status.in_(self._final)):
            self.rows.setdefault(row["id"], row)
        while self._floor + 1 in self.rows:
            self._floor += 1


class Observer:
    """A context manager: looks from its start to its end. What it could not see, because nothing answered, is left."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._jobs = Ended(world, Job, FINAL)
        self._items = Ended(world, QueueItem, ITEM_FINAL)
        self.overdue: dict[tuple[int, Any], Overdue] = {}
        """By job and end of its lease, the latest look at which it was still running."""
        self.overdue_items: dict[tuple[int, Any], Overdue] = {}
        """By item and attempt, the latest look at which it was still held."""
        self.open_items = 0
        self.looks = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *ended_by: object) -> None:
        self._closing.set()
        self._thread.join()

    @property
    def ended(self) -> dict[int, dict[str, Any]]:
        return self._jobs.rows

    @property
    def ended_items(self) -> dict[int, dict[str, Any]]:
        return self._items.rows

    def _run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            try:
                self._look()
            except SQLAlchemyError as error:
                log.debug("the database does not answer: %s", error)

    def _look(self) -> None:
        self._jobs.look()
        self._items.look()
        running = select(Job.id, Job.lease_expires_at).where(Job.status == states.RUNNING)
        for job, expires_at in self._world.tables.ask(running):
            self._note(self.overdue, (job, expires_at), self._late(expires_at))
        held = (
            select(QueueItem.id, QueueItem.attempt, QueueItem.lease_expires_at, Job.status, Job.attempt)
            .join(Job, Job.id == QueueItem.job_id)
            .where(QueueItem.status == "in_progress", QueueItem.lease_expires_at.is_not(None))
            .add_columns(QueueItem.job_attempt)
        )
        for item, attempt, expires_at, status, runs, mine in self._world.tables.ask(held):
            orphaned = status != states.RUNNING or runs != mine
            self._note(self.overdue_items, (item, attempt), 0.0 if orphaned else self._late(expires_at))
        open_items = select(func.count(QueueItem.id)).where(QueueItem.status.not_in(ITEM_FINAL))
        self.open_items = self._world.tables.ask(open_items)[0][0]
        self.looks += 1

    def _late(self, expires_at: datetime | None) -> float:
        """For how many seconds the lease has been over; below 0: it is not."""
        if expires_at is None:
            return -1.0
        return (datetime.now(UTC) - expires_at).total_seconds() + self._world.clock.step

    def _note(self, found: dict[tuple[int, Any], Overdue], key: tuple[int, Any], late: float) -> None:
        if late >= 0:
            seen = time.monotonic()
            since = found[key].since if key in found else seen - late
            found[key] = Overdue(id=key[0], since=since, seen=seen)
