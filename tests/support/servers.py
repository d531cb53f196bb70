"""Real `bvo` processes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import psutil
import requests

from support.api import zipped

BVO = (sys.executable, "-c", "from bvo.cli import main; main()")


def environment(**values: Any) -> dict[str, str]:
    """This process's environment without its own settings for us, and with `values`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("BVO_", "DATABASE_URL"))}
    return {**kept, **{key: str(value) for key, value in values.items()}}


def bvo(*arguments: str, timeout: float = 60, **values: Any) -> subprocess.CompletedProcess[str]:
    """Run a `bvo` command to its end."""
    return subprocess.run(
        [*BVO, *arguments], env=environment(**values), capture_output=True, text=True, timeout=timeout, check=False
    )


class Server:
    """`bvo serve` on a free port, in a folder of its own. A context manager."""

    def __init__(self, folder: Path, **values: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "serve.log"
        self._environment = environment(**{"BVO_DATA_DIR": folder / "data", **values})
        self.session = requests.Session()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *ended_by: object) -> None:
        self.session.close()
        self.stop()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*BVO, "serve", "--port", str(self.port)], env=self._environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 30
        while not self.healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"bvo serve did not start:\n{self.log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """It leaves no process behind, whatever hangs in it."""
        processes = self.children() if self._process.poll() is None else []
        self._process.terminate()
        self._process.wait(40)
        _, left = psutil.wait_procs(processes, timeout=10)
        for process in left:
            process.kill()
        assert not left, f"{left} outlived the server"

    def children(self) -> list[psutil.Process]:
        """The web workers, the background worker, and what else the server has started."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def kill(self) -> None:
        """All of it at once, by SIGKILL."""
        for process in [*self.children(), self._process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(30)

    def healthy(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def log_in(self, username: str = "admin", password: str = "admin123") -> None:
        answer = self.call("POST", "/api/auth/login", data={"username": username, "password": password})
        self.session.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def call(self, method: str, path: str, **options: Any) -> Any:
        response = self.session.request(method, self.url + path, timeout=30, **options)
        assert response.ok, response.text
        return response.json()


def queue_job(server: Server, name: str, files: dict[str, bytes | str], script: str = "main.py", **body: Any) -> int:
    """Upload these files as a package, define a process on a script of it, and queue a job; returns the job's id."""
    upload = {"file": (f"{name.lower().replace(' ', '-')}_1.0.0.zip", zipped(files))}
    package = server.call("POST", "/api/packages/upload", files=upload)
    definition = {"name": name, "package_id": package["id"], "script_path": script}
    process = server.call("POST", "/api/processes", json=definition)
    job = server.call("POST", "/api/jobs", json={"process_id": process["id"], **body})
    return int(job["id"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
