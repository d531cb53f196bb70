"""How a robot of the fleet works off queues: well, twice at once, too slowly, or not to the end."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable

from . import queue_work
from .history import UNKNOWN, Call
from .queue_work import QUEUES, Taken
from .robots import Held, Robot
from .wire import at_once

WAIT_SECONDS = 0.15
TRIES = 4


class ItemWork:
    """`work_off` is one job's work. What it does is drawn anew for each item."""

    def __init__(self, robot: Robot, chance: random.Random, closing: threading.Event, lease_seconds: float) -> None:
        self._robot, self._random, self._closing, self._lease_seconds = robot, chance, closing, lease_seconds
        self._ways: dict[Callable[[Taken], None], int] = {
            self._complete: 50,
            self._complete_thrice: 10,
            self._fail: 12,
            self._give_back: 8,
            self._work_long: 6,
            self._be_late: 5,
            self._forget: 6,
        }

    def work_off(self, held: Held) -> None:
        if self._random.random() < 0.3:
            nonce, queue = uuid.uuid4().hex, self._random.choice(list(QUEUES))
            self._persist(lambda: queue_work.add(self._robot, held, queue, nonce))
        for _ in range(self._random.randint(1, 4)):
            if (taken := self._take(held, self._random.choice(list(QUEUES)))) is None:
                return
            (way,) = self._random.choices(list(self._ways), list(self._ways.values()))
            way(taken)

    def work_off_all(self, held: Held) -> None:
        """Complete whatever is ready."""
        for queue in QUEUES:
            while taken := self._take(held, queue):
                self._complete(taken)

    def _take(self, held: Held, queue: str) -> Taken | None:
        key = uuid.uuid4().hex if self._random.random() < 0.6 else None
        for _ in range(TRIES):
            call, taken = queue_work.take(self._robot, held, queue, key)
            if call.outcome != UNKNOWN or not key:
                return taken
            self._closing.wait(WAIT_SECONDS)
        return None

    def _complete(self, taken: Taken) -> None:
        result = {"nonce": uuid.uuid4().hex}
        self._persist(lambda: queue_work.complete(self._robot, taken, result))

    def _complete_thrice(self, taken: Taken) -> None:
        result = {"nonce": uuid.uuid4().hex}
        at_once(3, lambda: queue_work.complete(self._robot, taken, result))
        queue_work.complete(self._robot, taken)

    def _fail(self, taken: Taken) -> None:
        kind = self._random.choice(("application", "application", "business"))
        self._persist(lambda: queue_work.fail(self._robot, taken, kind))

    def _give_back(self, taken: Taken) -> None:
        self._persist(lambda: queue_work.release(self._robot, taken))

    def _work_long(self, taken: Taken) -> None:
        """Longer than the lease of the item, which is renewed like that of the job."""
        end = time.monotonic() + self._lease_seconds * self._random.uniform(0.5, 1.5)
        while time.monotonic() < end and not self._closing.wait(self._lease_seconds / 6):
            if self._robot.renew(taken.held) in ("lost", "stop"):
                break
            queue_work.renew(self._robot, taken)
        self._complete(taken)

    def _be_late(self, taken: Taken) -> None:
        """Keep the job, and come back to the item when its lease is over."""
        end = time.monotonic() + self._lease_seconds + self._random.uniform(0.5, 3)
        while time.monotonic() < end and not self._closing.wait(self._lease_seconds / 6):
            self._robot.renew(taken.held)
        queue_work.renew(self._robot, taken)
        self._complete(taken)

    def _forget(self, taken: Taken) -> None:
        """Never speak of it again: its job ends first."""

    def _persist(self, request: Callable[[], Call]) -> None:
        """Send it until it is known what became of it."""
        for _ in range(TRIES):
            if request().outcome != UNKNOWN:
                return
            self._closing.wait(WAIT_SECONDS)
