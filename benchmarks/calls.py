"""What robots send, ready as bytes; and the scripts of robots."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from load import Script, Tally
from rows import robot_token


@dataclass(frozen=True, kw_only=True)
class Robot:
    """A robot by its id, which is also the number in its token."""

    id: int

    def post(self, path: str, body: dict[str, Any], **headers: str) -> bytes:
        return post(f"/api/runner/{path}", body, **{"X-Robot-Token": robot_token(self.id), **headers})

    def next_job(self, key: int | None = None, **body: Any) -> bytes:
        """Ask for a job; with the key that a runner sends, so that the same claim can be asked for again."""
        keyed = {} if key is None else {"Idempotency-Key": f"{self.id:08x}-bench-{key:08x}"}
        return self.post("next-job", {"robot_id": self.id, **body}, **keyed)

    def heartbeat(self, **body: Any) -> bytes:
        return self.post("heartbeat", {"robot_id": self.id, **body})

    def completed(self, job: dict[str, Any], **body: Any) -> bytes:
        report = {"status": "completed", "result": {"rows": 238}, **body}
        return self.post(f"jobs/{job['id']}/update", report, **{"X-Lease-Token": job["lease_token"]})


def post(path: str, body: dict[str, Any], **headers: str) -> bytes:
    content = json.dumps(body).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def get(path: str, **headers: str) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode()


def robots(count: int, first: int = 1) -> Iterator[Robot]:
    return (Robot(id=number) for number in range(first, first + count))


def repeated(request: bytes, tally: Tally) -> Script:
    """The same request again and again."""
    while True:
        answer = yield request
        tally.done += answer.status < 300


def claims(wanted: Iterator[bytes], tally: Tally) -> Script:
    """Claim one job after the other: `wanted` gives the requests of robots that are idle."""
    for request in wanted:
        answer = yield request
        if answer.status < 300 and json.loads(answer.body)["job"] is None:
            return
        tally.done += answer.status < 300


def cycles(robot: Robot, tally: Tally, *, confirms: bool = False) -> Script:
    """A busy robot: report the result, and get the next job; in one request where the server can do both in one."""
    number, both = 0, {"next": {"robot_id": robot.id, "confirms": confirms}}
    answer = yield robot.next_job(number, confirms=confirms)
    while answer.status < 300 and (job := json.loads(answer.body).get("job")):
        number += 1
        if confirms:
            yield robot.heartbeat(leases=[{"job_id": job["id"], "lease_token": job["lease_token"]}])
        answer = yield robot.completed(job, **both)
        if answer.status >= 300:
            return
        tally.done += 1
        if "job" not in json.loads(answer.body):  # a server that takes the result only
            both = {}
            answer = yield robot.next_job(number, confirms=confirms)
