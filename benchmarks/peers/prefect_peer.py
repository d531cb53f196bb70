"""Prefect's server: what it costs there to find, take and complete a run over HTTP. No process is started for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from typing import Any

import calls
import requests
from load import Answer, Load, Script, Tally

from .base import Missing, Peer, venv

CLIENTS = 4
STATES = ("PENDING", "RUNNING", "COMPLETED")


class Prefect(Peer):
    """Four clients, each with a work pool of its own, so that none of them is told of the runs of another."""

    name = "Prefect"
    target = 100
    tasks = 200

    def install(self) -> str:
        self._bin, version = venv(self, "prefect", "asyncpg", "fastapi<0.150")  # it does not start with newer ones
        return version

    def prepare(self, database: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.environment |= {
            "PREFECT_HOME": str(self.folder / "prefect-home"),
            "PREFECT_API_DATABASE_CONNECTION_URL": database.replace("://", "+asyncpg://"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "ERROR",
        }
        command = [str(self._bin / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(self._port)]
        self._server = self.start(command)
        self._await_server()
        flow = self._post("flows/", name="noop")["id"]
        self._deployments = [self._deployment(flow, number) for number in range(CLIENTS)]
        self._pause()

    def rate(self, seconds: float) -> float:
        os.killpg(self._server.pid, signal.SIGCONT)
        try:
            self.fill(self.tasks)
            tally = Tally()
            scripts = [self._client(number, tally) for number in range(CLIENTS)]
            return Load(self._port, tally).run(scripts, seconds).rate
        finally:
            self._pause()

    def fill(self, count: int) -> None:
        for deployment in self._deployments:
            for _ in range(count // CLIENTS):
                self._post(f"deployments/{deployment}/create_flow_run", state={"type": "SCHEDULED"})

    def workers(self) -> list[list[str]]:
        return []

    def left(self) -> int:
        return 0

    def _client(self, number: int, tally: Tally) -> Script:
        """Ask for a run, and report that it is taken, runs, and is completed."""
        while True:
            wanted = calls.post(f"/api/work_pools/pool-{number}/get_scheduled_flow_runs", {"limit": 1})
            answer: Answer = yield wanted
            known = json.loads(answer.body)
            if answer.status >= 300 or not known:
                return
            run = known[0]["flow_run"]["id"]
            for state in STATES:
                yield calls.post(f"/api/flow_runs/{run}/set_state", {"state": {"type": state}})
            tally.done += 1

    def _deployment(self, flow: str, number: int) -> str:
        pool = f"pool-{number}"
        self._post("work_pools/", name=pool, type="process")
        made = self._post("deployments/", name=f"noop-{number}", flow_id=flow, work_pool_name=pool)
        return str(made["id"])

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = requests.post(f"http://127.0.0.1:{self._port}/api/{path}", json=body, timeout=60)
        if not answer.ok:
            raise Missing(f"its server refused {path}: {answer.text[:200]}")
        found: dict[str, Any] = answer.json()
        return found

    def _pause(self) -> None:
        """It has much to do even where nothing is asked of it: the others should not pay for that."""
        os.killpg(self._server.pid, signal.SIGSTOP)

    def _await_server(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self._server.poll() is None:
            try:
                if requests.get(f"http://127.0.0.1:{self._port}/api/health", timeout=5).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.2)
        raise Missing(f"its server did not start; look into its log in {self.folder}")
