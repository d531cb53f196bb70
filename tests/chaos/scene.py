"""A world for one short play."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from bvo_jobs.models import Job
from bvo_queues.models import QueueItem

from .clients import add_item, cancel, create
from .evidence import Mark
from .observer import FINAL, ITEM_FINAL
from .robots import Held, Robot
from .world import World

_numbers = itertools.count(1)


class Scene:
    """A world for one play: its own robots, and jobs that nobody else takes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.mark = Mark.now(world)
        self.is_set_up: Callable[[], None] = lambda: None
        """Called by a play whose bug may not be there before: nothing could be set up then."""
        self._operator = world.operator(f"operator-{next(_numbers)}")

    def robot(self) -> Robot:
        return self.world.robot(f"robot-{next(_numbers)}")

    def job(self, *, seconds: float = 0, twins: int = 1, **body: Any) -> int:
        nonce = uuid.uuid4().hex
        given = {"process_id": self.world.process_id, "parameters": self.world.script_job(nonce, seconds), **body}
        call = create(self._operator, given, nonce, twins=twins)
        assert call.ok, call
        return int(call.answer["id"])

    def item(self, queue: str) -> int:
        nonce = uuid.uuid4().hex
        call = add_item(self._operator, {"queue_name": queue, "payload": {"nonce": nonce}}, nonce)
        assert call.ok, call
        return int(call.answer["id"])

    def at_work(self) -> tuple[Robot, Held]:
        """A robot that has just claimed a job."""
        self.job()
        robot = self.robot()
        return robot, robot.take()

    def wait_for_item(self, item: int, status: str, seconds: float) -> None:
        """Until it has this status, or for so long."""
        deadline = time.monotonic() + seconds
        query = select(QueueItem.status).where(QueueItem.id == item)
        while self.world.tables.ask(query)[0][0] != status and time.monotonic() < deadline:
            time.sleep(0.1)

    def cancel(self, job: int) -> None:
        cancel(self._operator, job)

    def status(self, job: int) -> str:
        ((status,),) = self.world.tables.columns(Job.status, where=[Job.id == job])
        return str(status)

    def lose(self, robot: Robot, **body: Any) -> Held:
        """Let the robot claim a job, and be silent until the job is taken away from it."""
        job = self.job(**body)
        held = robot.take()
        self.world.wait("the watchdog", lambda: self.status(job) != "running", seconds=20)
        return held

    def seen_to_end(self, job: int) -> None:
        self.world.wait("the observer", lambda: job in self.world.observer.ended, seconds=20)

    def clear(self) -> None:
        """End what is left, so that it is in nobody's way."""
        for job, status in self.world.tables.columns(Job.id, Job.status, where=[Job.id > self.mark.job]):
            if status not in FINAL:
                self.cancel(job)
        left = (QueueItem.status.not_in(ITEM_FINAL), QueueItem.id > self.mark.item)
        for (item,) in self.world.tables.columns(QueueItem.id, where=left):
            self.world.ask("PUT", f"/api/queue-items/{item}", json={"status": "abandoned"})
        self.world.wait_until_told()


Play = Callable[[Scene], None]
