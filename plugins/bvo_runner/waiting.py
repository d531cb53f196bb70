"""Robots that wait for a job: parked on the event loop, without thread, connection or transaction.

A hint gives one of them its turn: the one that waits longest tries a claim. Where it gets a job, the next one tries,
too, and so on until there is nothing left; so there are about as many claims as there are jobs. One that may not claim
passes its turn on. A lost hint costs a second: then this process looks by itself, as long as somebody waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bvo_jobs import wakeups
from bvo_jobs.asks import ClaimAsk, Claimed, Look, Nothing

LOOK_SECONDS = 1.0
POLL_SECONDS = 0.05
"""SQLite: how often it is asked whether another process has written."""
BUSY_SECONDS = 5.0
"""A robot that may not claim gives up its turns for so long, unless something is told of it."""
AT_ONCE = 16
"""So many try after a look: each that gets a job lets another one try."""


class Waiter:
    """One robot. `answer` gets what comes of its claim: a job, Nothing when its time is over, or NotPlain."""

    __slots__ = ("answer", "ask", "busy_until", "has_turn", "robot_id", "timer", "tried_at", "trying")

    def __init__(self, ask: ClaimAsk, answer: asyncio.Future[Any]) -> None:
        self.ask = ask
        self.answer = answer
        self.timer: asyncio.TimerHandle | None = None
        self.robot_id = 0
        self.trying = self.has_turn = False
        self.tried_at = self.busy_until = 0.0


class Waiting:
    """All that wait in this process; everything happens on its event loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, ask: Callable[[Any, Callable[[Any], None]], None], version: Any = None
    ) -> None:
        self._loop, self._ask, self._version = loop, ask, version
        self._parked: dict[int, Waiter] = {}
        self._trying = 0
        self._missed = self._looking = self._ended = False
        self._told: dict[int, float] = {}
        self._seen: Any = None
        self._clock: asyncio.TimerHandle | None = None
        self._look_at = 0.0

    def add(self, waiter: Waiter, seconds: float) -> None:
        """Let it try at once, and then whenever it has its turn."""
        waiter.timer = self._loop.call_later(seconds, self.remove, waiter)
        self._try(waiter)

    def remove(self, waiter: Waiter) -> None:
        """Its time is over, or its client has gone. A try that is under way still counts."""
        if waiter.trying:
            waiter.busy_until = -1.0
        else:
            self._end(waiter, Nothing(waiter.robot_id, busy=True))

    def stop(self) -> None:
        """Answer all that wait, and let nobody wait any more."""
        self._ended = True
        for waiter in list(self._parked.values()):
            self.remove(waiter)

    def heard(self, hint: str) -> None:
        if hint == wakeups.OPEN:
            self._turn()
        elif hint == wakeups.LOOK:
            self._look()
        else:
            self._own_turn(int(hint.partition(":")[2]))

    def _own_turn(self, robot_id: int) -> None:
        waiter = self._parked.get(robot_id)
        if waiter and not waiter.trying:
            waiter.busy_until = 0.0
            self._try(waiter)
        elif self._trying:
            self._told[robot_id] = self._loop.time()

    def _turn(self) -> None:
        now = self._loop.time()
        following = (waiter for waiter in self._parked.values() if not waiter.trying and waiter.busy_until <= now)
        if waiter := next(following, None):
            waiter.has_turn = True
            self._try(waiter)
        else:
            self._missed = self._trying > 0

    def _try(self, waiter: Waiter) -> None:
        waiter.trying, waiter.tried_at = True, self._loop.time()
        self._trying += 1
        self._ask(waiter.ask, lambda result: self._tried(waiter, result))

    def _tried(self, waiter: Waiter, result: Any) -> None:
        self._trying -= 1
        waiter.trying, had_turn, waiter.has_turn = False, waiter.has_turn, False
        if not isinstance(result, Nothing):
            self._end(waiter, result)
        else:
            self._park(waiter, result)
        goes_on = isinstance(result, Claimed) or (isinstance(result, Nothing) and result.busy)
        if (had_turn and goes_on) or self._missed:
            self._missed = False
            self._turn()
        if not self._trying:
            self._told.clear()

    def _park(self, waiter: Waiter, result: Nothing) -> None:
        over, now = waiter.busy_until < 0 or self._ended, self._loop.time()
        waiter.robot_id, waiter.busy_until = result.robot_id, now + BUSY_SECONDS if result.busy else 0.0
        before = self._parked.get(waiter.robot_id)
        if before and before is not waiter:
            self.remove(before)  # the robot has asked again
        if over or waiter.answer.done():
            self._end(waiter, result)
            return
        self._parked.setdefault(waiter.robot_id, waiter)
        if self._told.get(waiter.robot_id, -1.0) >= waiter.tried_at:
            self._try(waiter)
        if self._clock is None:
            self._look_at = now + LOOK_SECONDS
            self._tick()

    def _end(self, waiter: Waiter, result: Any) -> None:
        if self._parked.get(waiter.robot_id) is waiter:
            del self._parked[waiter.robot_id]
        if waiter.timer:
            waiter.timer.cancel()  # else it would keep the waiter, and the job that it got, until its time is over
        if not waiter.answer.done():
            waiter.answer.set_result(result)

    def _tick(self) -> None:
        """Look once a second, and on SQLite as soon as somebody has written, as long as somebody waits."""
        self._clock = None
        if not self._parked:
            return
        before, self._seen = self._seen, self._version() if self._version else None
        if self._loop.time() >= self._look_at or before != self._seen:
            self._look_at = self._loop.time() + LOOK_SECONDS
            self._look()
        self._clock = self._loop.call_later(POLL_SECONDS if self._version else LOOK_SECONDS, self._tick)

    def _look(self) -> None:
        if self._parked and not self._looking:
            self._looking = True
            self._ask(Look(tuple(self._parked)), self._looked)

    def _looked(self, result: Any) -> None:
        self._looking = False
        if not isinstance(result, tuple):
            return  # the database is away: again in a second
        jobs, robots = result
        for robot_id in robots:
            self._own_turn(robot_id)
        for _ in range(min(jobs, AT_ONCE)):
            self._turn()
