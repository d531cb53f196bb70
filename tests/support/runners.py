"""Real runner processes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any, Self

from support.servers import BVO, Server, environment


class Runner:
    """`bvo runner` against a server. A context manager."""

    def __init__(self, server: Server, home: Path, name: str = "robot-1", **values: Any) -> None:
        machine = server.call("POST", "/api/machines", json={"name": f"machine-of-{name}"})
        self._arguments = ["runner", "--url", server.url, "--name", name, "--poll-seconds", "0.1"]
        variables = {"BVO_RUNNER_HOME": home, "BVO_RUNNER_MACHINE_KEY": machine["machine_key"], **values}
        self._environment = environment(**variables)
        self._log = home.parent / f"{name}.log"

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen([*BVO, *self._arguments], env=self._environment, stdout=log, stderr=log)
        return self

    def __exit__(self, *ended_by: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")


def wait_for_job(server: Server, job_id: int, *statuses: str, seconds: float = 60) -> dict[str, Any]:
    """The job, as soon as it has one of these statuses (by default: a final one)."""
    wanted = statuses or ("completed", "failed", "canceled")
    deadline = time.monotonic() + seconds
    while True:
        job: dict[str, Any] = server.call("GET", f"/api/jobs/{job_id}")
        if job["status"] in wanted:
            return job
        assert time.monotonic() < deadline, f"job {job_id} is still {job['status']}"
        time.sleep(0.05)
