"""What a robot does with queue items for the job that it holds. Each function is one request."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from .history import Call
from .robots import Held, Robot

QUEUES = {"often": 2, "once": 0}
"""The queues of a run, and how often each tries an item again."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """An item as a job got it."""

    item: int
    lease: str
    held: Held

    @property
    def details(self) -> dict[str, Any]:
        return {**self.held.details, "item": self.item, "item_lease": self.lease}


def take(robot: Robot, held: Held, queue: str, key: str | None = None) -> tuple[Call, Taken | None]:
    details = held.details
    headers = {**details.pop("headers"), **({"Idempotency-Key": key} if key else {})}
    path = f"/api/runner/queues/{queue}/next"
    call = robot.wire.call("take-item", "POST", path, {}, queue=queue, key=key, headers=headers, **details)
    found = call.answer.get("item") if call.ok else None
    if not found:
        return call, None
    call.details |= {"item": found["id"], "item_lease": found["item_lease"], "seconds": found["lease_seconds"]}
    return call, Taken(item=found["id"], lease=found["item_lease"], held=held)


def add(robot: Robot, held: Held, queue: str, nonce: str) -> Call:
    details = held.details
    headers = {**details.pop("headers"), "Idempotency-Key": nonce}
    body = {"payload": {"nonce": nonce}}
    return robot.wire.call(
        "add-item", "POST", f"/api/runner/queues/{queue}/items", body, nonce=nonce, headers=headers, **details
    )


def renew(robot: Robot, taken: Taken) -> Call:
    return _about(robot, taken, "renew", {})


def complete(robot: Robot, taken: Taken, result: Any = None) -> Call:
    """By default with a result that nobody else can have reported."""
    return _about(robot, taken, "complete", {"result": result or {"nonce": uuid.uuid4().hex}})


def fail(robot: Robot, taken: Taken, kind: str = "application") -> Call:
    return _about(robot, taken, "fail", {"kind": kind, "error_message": f"a failure of the kind {kind}"})


def release(robot: Robot, taken: Taken) -> Call:
    return _about(robot, taken, "release", {})


def _about(robot: Robot, taken: Taken, part: str, body: dict[str, Any]) -> Call:
    path = f"/api/runner/queue-items/{taken.item}/{part}"
    return robot.wire.call(f"{part}-item", "POST", path, {**body, "item_lease": taken.lease}, **taken.details)
