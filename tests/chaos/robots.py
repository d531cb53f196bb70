"""A robot that speaks the wire protocol itself: fast, and able to do what a well-behaved runner never does."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from .history import Call
from .wire import Wire


@dataclass(frozen=True, kw_only=True)
class Held:
    """A claim as its robot got it. `lease` is None for a legacy robot, which sends none."""

    job: int
    attempt: int
    robot: int
    lease: str | None
    timeout_seconds: int | None = None

    @property
    def details(self) -> dict[str, Any]:
        """What the log of calls has of it, and the header that goes with it."""
        named = {"job": self.job, "attempt": self.attempt, "robot": self.robot, "lease": self.lease}
        return {**named, "headers": {"X-Lease-Token": self.lease} if self.lease else {}}


class Robot:
    """Each method is one request. What it returns is noted in the log of calls already."""

    def __init__(self, wire: Wire, *, robot_id: int, legacy: bool = False) -> None:
        self.wire, self.id, self.legacy = wire, robot_id, legacy

    def claim(self, *, confirms: bool = False, key: str | None = None, wait: int = 0) -> tuple[Call, Held | None]:
        """`wait`: for so many seconds the server may wait for a job."""
        headers = {"Idempotency-Key": key} if key else {}
        body = {"confirms": confirms, **({"wait_seconds": wait} if wait else {})}
        details = {"robot": self.id, "confirms": confirms, "key": key, "headers": headers}
        call = self.wire.call("claim", "POST", "/api/runner/next-job", body, **details)
        job = call.answer.get("job") if call.ok else None
        if not job:
            return call, None
        held = Held(
            job=job["id"],
            attempt=job["attempt"],
            robot=self.id,
            lease=None if self.legacy else job["lease_token"],
            timeout_seconds=job["timeout_seconds"],
        )
        call.details |= {"job": held.job, "attempt": held.attempt, "lease": held.lease}
        return call, held

    def take(self, **how: Any) -> Held:
        """A claim that must succeed."""
        call, held = self.claim(**how)
        assert held, f"robot {self.id} got no job: {call}"
        return held

    def renew(self, held: Held) -> str | None:
        """The state that the server tells; `valid` for a legacy robot, which is told nothing; None where unknown."""
        leases = {} if self.legacy else {"leases": [{"job_id": held.job, "lease_token": held.lease}]}
        call = self.wire.call("renew", "POST", "/api/runner/heartbeat", leases, **held.details)
        if not call.ok:
            return None
        state: str = "valid" if self.legacy else call.answer["leases"][0]["state"]
        return state

    def log(self, held: Held, sequence: int, text: str) -> Call:
        body = {"sequence": sequence, "text": text, "progress": {"fraction": None, "message": text[:50]}}
        path = f"/api/runner/jobs/{held.job}/log"
        return self.wire.call("log", "POST", path, body, sequence=sequence, text=text, **held.details)

    def give_up(self, held: Held, *, started: bool) -> Call:
        path = f"/api/runner/jobs/{held.job}/release"
        return self.wire.call("release", "POST", path, {"started": started}, started=started, **held.details)

    def finish(self, held: Held, status: str = "completed", **outcome: Any) -> Call:
        """Report the result; by default one that nobody else can have reported."""
        body = {"status": status, **(outcome or {"result": {"nonce": uuid.uuid4().hex}})}
        path = f"/api/runner/jobs/{held.job}/update"
        return self.wire.call("finish", "POST", path, body, **held.details)
