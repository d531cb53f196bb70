"""A robot that has claimed a job, and what it sends about it."""

from __future__ import annotations

import io
from typing import Any

from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from support.api import Api


def claim(robot: Api) -> Any:
    """The job that the robot gets, or None."""
    return robot.ok(robot.post("/api/runner/next-job", {}))["job"]


class Work:
    """Calls of the robot on its job, under its lease unless another one is given."""

    def __init__(self, admin: Api) -> None:
        self.admin = admin
        admin.a_job()
        self.robot, self.api = admin.a_robot()
        self.job = claim(self.api)
        self.lease = self.job["lease_token"]
        self.path = f"/api/runner/jobs/{self.job['id']}"

    def send(self, part: str, body: dict[str, Any], lease: str | None = None) -> TestResponse:
        return self.api.post(f"{self.path}/{part}", body, headers={"X-Lease-Token": lease or self.lease})

    def finish(self, lease: str | None = None, **outcome: Any) -> TestResponse:
        return self.send("update", {"status": "completed", **outcome}, lease)

    def log(self, sequence: int, text: str, **more: Any) -> TestResponse:
        return self.send("log", {"sequence": sequence, "text": text, **more})

    def artifact(self, content: bytes, name: str) -> TestResponse:
        boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(content), name)})
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.api.post(f"{self.path}/artifacts", data=body, headers={**kind, "X-Lease-Token": self.lease})

    def beat(self, **body: Any) -> Any:
        leases = [{"job_id": self.job["id"], "lease_token": self.lease}]
        answer = self.api.ok(self.api.post("/api/runner/heartbeat", {"leases": leases, **body}))
        return {lease["job_id"]: lease["state"] for lease in answer["leases"]}[self.job["id"]]

    def now(self) -> Any:
        """The job as an operator sees it."""
        return self.admin.ok(self.admin.get(f"/api/jobs/{self.job['id']}"))
