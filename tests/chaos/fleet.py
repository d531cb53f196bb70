"""Robots at work, as good and as bad as chance has it."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any

from .actors import Actor
from .history import UNKNOWN, Call
from .item_work import TRIES, WAIT_SECONDS, ItemWork
from .robots import Held, Robot
from .wire import at_once

PHRASES = ("plain", "Größe, naïve €", 'quotes " and \\ and \u2028', "emoji 🔥", "", "nul-free \t tab", "x" * 2000)


class Hand(Actor):
    """A robot that claims and works. How it works is drawn anew for each job."""

    def __init__(self, robot: Robot, seed: str, lease_seconds: float) -> None:
        super().__init__(robot.wire.who)
        self.robot, self._random, self._lease_seconds = robot, random.Random(seed), lease_seconds
        self._items = ItemWork(robot, self._random, self.closing, lease_seconds)
        self.tidies = False
        """Whether it does nothing but completing the items that there are, until none is left."""
        self._ways = {
            self._work: 40,
            self._work_off: 20,
            self._work_in_disorder: 20,
            self._work_long: 5,
            self._be_greedy: 6,
            self._fall_silent: 5,
            self._give_up: 4,
            self._vanish: 4,
        }

    def act(self) -> None:
        held = self._claim()
        if held is None:
            self.closing.wait(WAIT_SECONDS)
            return
        if self.tidies and not self.robot.legacy:
            self._items.work_off_all(held)
            self._finish(held)
            return
        (way,) = self._random.choices(list(self._ways), list(self._ways.values()))
        way(held)

    def _claim(self) -> Held | None:
        confirms = not self.robot.legacy and self._random.random() < 0.4
        key = uuid.uuid4().hex if not self.robot.legacy and self._random.random() < 0.6 else None
        wait = self._random.choice((0, 0, 1))
        for _ in range(TRIES):
            call, held = self.robot.claim(confirms=confirms, key=key, wait=wait)
            if call.outcome != UNKNOWN or not key:
                break
            self.closing.wait(WAIT_SECONDS)
        if held and confirms and self.robot.renew(held) != "valid":
            return None
        return held

    def _work(self, held: Held) -> None:
        for sequence in range(1, self._random.randint(1, 4)):
            text = self._line(sequence)
            if self._persist(lambda number=sequence, text=text: self.robot.log(held, number, text)) is None:
                return
        self._finish(held)

    def _work_off(self, held: Held) -> None:
        """Queue items, where the robot has a lease to show."""
        if not self.robot.legacy:
            self._items.work_off(held)
        self._finish(held)

    def _work_in_disorder(self, held: Held) -> None:
        """Log pieces in any order, each request up to three times at once."""
        for sequence in self._random.sample(range(1, 4), 3):
            text = self._line(sequence)
            at_once(self._random.randint(1, 3), lambda number=sequence, text=text: self.robot.log(held, number, text))
        at_once(2, lambda: self.robot.renew(held))
        body = self._outcome()
        answers = at_once(3, lambda: self.robot.finish(held, **body))
        if all(call.outcome == UNKNOWN for call in answers):
            self._persist(lambda: self.robot.finish(held, **body))

    def _work_long(self, held: Held) -> None:
        """Longer than a lease, which is renewed all the time."""
        end, sequence = time.monotonic() + self._lease_seconds * self._random.uniform(0.5, 1.5), 0
        while time.monotonic() < end and not self.closing.wait(self._lease_seconds / 6):
            if self.robot.renew(held) in ("lost", "stop"):
                break
            sequence += 1
            self.robot.log(held, sequence, self._line(sequence))
        self._finish(held)

    def _be_greedy(self, held: Held) -> None:
        """Ask for a second job before the first one is done, and go on with the first."""
        second = self.robot.claim()[1]
        self.robot.renew(held)
        self._finish(held)
        if second:
            self._finish(second)

    def _fall_silent(self, held: Held) -> None:
        """Longer than the lease; then come back and report as if nothing had been."""
        self.closing.wait(self._lease_seconds + self._random.uniform(0.5, 3))
        late = [
            lambda: self.robot.log(held, 1, "late"),
            lambda: self.robot.renew(held),
            lambda: self._finish(held),
        ]
        for report in self._random.sample(late, len(late)):
            report()

    def _give_up(self, held: Held) -> None:
        """As one that was cut off, or never began; and report all the same. Legacy robots know nothing of it."""
        if not self.robot.legacy:
            started = self._random.random() < 0.5
            self._persist(lambda: self.robot.give_up(held, started=started))
        self._finish(held)

    def _vanish(self, held: Held) -> None:
        """Never speak of this job again."""

    def _finish(self, held: Held) -> None:
        body = self._outcome()
        self._persist(lambda: self.robot.finish(held, **body))

    def _persist(self, request: Any) -> Call | None:
        """Send it until it is known what became of it; None where that never is, or where it is refused."""
        for _ in range(TRIES):
            call: Call = request()
            if call.outcome != UNKNOWN:
                return call if call.ok else None
            self.closing.wait(WAIT_SECONDS)
        return None

    def _outcome(self) -> dict[str, Any]:
        result = {"nonce": uuid.uuid4().hex, "text": self._random.choice(PHRASES), "number": self._random.random()}
        if self._random.random() < 0.2:
            return {"status": "failed", "result": result, "error_message": self._random.choice(PHRASES)}
        return {"status": "completed", "result": result}

    def _line(self, sequence: int) -> str:
        return f"{sequence} {self._random.choice(PHRASES)}\n"
