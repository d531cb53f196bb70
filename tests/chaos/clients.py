"""Operators: they create jobs, cancel some, repeat some, settle some by hand, and send everything more than once."""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import requests

from .actors import Actor
from .history import OK, UNKNOWN, Call
from .queue_work import QUEUES
from .wire import Wire, at_once

if TYPE_CHECKING:
    from .world import World

BACKLOG = 40
"""So many jobs may wait; then the operator pauses, so that the robots keep up."""
PAUSE_SECONDS = 0.04
TRIES = 8
UNAUTHORIZED = 401


class Operator(Actor):
    """What it does is drawn from its seed."""

    def __init__(self, world: World, wire: Wire, seed: str) -> None:
        super().__init__(wire.who)
        self._world, self._wire, self._random = world, wire, random.Random(seed)
        self._jobs: list[int] = []
        self._acts: dict[Callable[[], None], int] = {
            self._create: 60,
            self._add_item: 20,
            self._cancel: 12,
            self._retry: 5,
            self._settle: 4,
            self._look: 4,
        }

    def act(self) -> None:
        self.closing.wait(self._random.uniform(0, 2 * PAUSE_SECONDS))
        (act,) = self._random.choices(list(self._acts), list(self._acts.values()))
        if act == self._create and self._waiting() >= BACKLOG:
            return
        if act == self._add_item and self._world.observer.open_items >= BACKLOG:
            return
        act()

    def _waiting(self) -> int:
        return sum(job not in self._world.observer.ended for job in self._jobs)

    def _create(self) -> None:
        nonce = uuid.uuid4().hex
        chance = self._random.random
        body: dict[str, Any] = {
            "process_id": self._world.process_id,
            "parameters": self._world.script_job(
                nonce, self._random.choice((0, 0.2, 0.5, 1)), self._random.choice((0, 0, 2))
            ),
            "priority": self._random.randint(-5, 5),
            "max_attempts": self._random.choice((1, 3)),
            "retry_delay_seconds": self._random.choice((0, 1)),
        }
        if chance() < 0.1:
            body["timeout_seconds"] = self._random.randint(1, 4)
        call = create(self._wire, body, nonce, twins=self._random.choice((1, 1, 2, 3)), wait=self.closing.wait)
        if call.ok:
            self._jobs.append(call.answer["id"])
        elif call.status == UNAUTHORIZED:
            with contextlib.suppress(requests.RequestException, KeyError):  # the next one tries again
                self._world.log_in()

    def _add_item(self) -> None:
        nonce = uuid.uuid4().hex
        body = {"queue_name": self._random.choice(list(QUEUES)), "payload": {"nonce": nonce}}
        body["priority"] = self._random.randint(-2, 2)
        add_item(self._wire, body, nonce, twins=self._random.choice((1, 1, 3)), wait=self.closing.wait)

    def _cancel(self) -> None:
        if job := self._recent():
            at_once(self._random.choice((1, 2)), lambda: cancel(self._wire, job))

    def _retry(self) -> None:
        ended = [job for job in self._jobs if job in self._world.observer.ended]
        if ended:
            job, nonce = self._random.choice(ended), uuid.uuid4().hex
            path, headers = f"/api/jobs/{job}/retry", {"Idempotency-Key": nonce}
            send = lambda: self._wire.call("retry", "POST", path, job=job, nonce=nonce, headers=headers)  # noqa: E731
            answers = at_once(self._random.choice((1, 3)), send)
            self._jobs += {call.answer["id"] for call in answers if call.ok}

    def _settle(self) -> None:
        if job := self._recent():
            body = {"status": "completed", "result": {"nonce": uuid.uuid4().hex, "by": "hand"}}
            self._wire.call("settle", "PUT", f"/api/jobs/{job}", body, job=job)

    def _look(self) -> None:
        if job := self._recent():
            self._wire.call("look", "GET", f"/api/jobs/{job}", job=job)

    def _recent(self) -> int | None:
        return self._random.choice(self._jobs[-10:]) if self._jobs else None


def create(
    wire: Wire, body: dict[str, Any], nonce: str, *, twins: int = 1, wait: Callable[[float], object] = lambda _: None
) -> Call:
    """Create a job under one key, as often as it takes to know what became of it. Returns the call that knows."""

    def send() -> Call:
        return wire.call("create", "POST", "/api/jobs", body, nonce=nonce, headers={"Idempotency-Key": nonce})

    return _until_known(send, twins, wait)


def add_item(
    wire: Wire, body: dict[str, Any], nonce: str, *, twins: int = 1, wait: Callable[[float], object] = lambda _: None
) -> Call:
    """The same of a queue item."""

    def send() -> Call:
        return wire.call(
            "create-item", "POST", "/api/queue-items", body, nonce=nonce, headers={"Idempotency-Key": nonce}
        )

    return _until_known(send, twins, wait)


def _until_known(send: Callable[[], Call], twins: int, wait: Callable[[float], object]) -> Call:
    answers = at_once(twins, send)
    for _ in range(TRIES):
        known = [call for call in answers if call.outcome == OK] or [
            call for call in answers if call.status == UNAUTHORIZED
        ]
        if known or all(call.outcome != UNKNOWN and call.status != 409 for call in answers):
            break
        wait(PAUSE_SECONDS * 3)
        answers = [send()]
    return (known or answers)[0]


def cancel(wire: Wire, job: int) -> Call:
    return wire.call("cancel", "POST", f"/api/jobs/{job}/cancel", job=job)
