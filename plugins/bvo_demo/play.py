"""The play: server, package, machine, process, job, runner, result."""

from __future__ import annotations

import io
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any, Self

from .api import Client
from .children import Child, free_port
from .errors import DemoFailed
from .view import View

PACKAGE, VERSION, SCRIPT = "sales_report", "1.0.0", "main.py"
START_SECONDS, JOB_SECONDS = 30, 300
POLL_SECONDS = 0.1


class Play:
    """One run in a folder. A context manager: leaving it stops what it started."""

    def __init__(self, folder: Path, port: int, view: View) -> None:
        self._folder = folder
        self._view = view
        self._port = free_port(port)
        self.url = f"http://127.0.0.1:{self._port}"
        self._client = Client(self.url)
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        server = self._folder / "server"
        if server.exists() and not (server / "bvo.db").exists():
            raise DemoFailed(f"{server} holds something else than an earlier demo. Choose another --folder.")
        address = server / "url"
        if address.exists() and Client(address.read_text()).healthy():
            raise DemoFailed(f"A demo already runs in this folder, at {address.read_text()}. Choose another --folder.")
        shutil.rmtree(server, ignore_errors=True)
        for name in ("server", "runner"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        address.write_text(self.url)
        return self

    def __exit__(self, *ended_by: object) -> None:
        for child in reversed(self._children):
            child.stop()

    def run(self) -> dict[str, Any]:
        """Play all of it; returns the ended job."""
        server = self._start_server()
        package = self._upload()
        machine = self._step("Creating a machine", "/api/machines", name="demo-machine")
        process = self._step(
            "Creating a process", "/api/processes", name="Sales report", package_id=package["id"], script_path=SCRIPT
        )
        job = self._step("Queueing a job", "/api/jobs", process_id=process["id"])
        runner = self._start_runner(machine["machine_key"])
        return self._watch(job["id"], server, runner)

    def wait(self) -> None:
        """Return when a child ends; until then the user looks around."""
        while not any(child.ended for child in self._children):
            time.sleep(POLL_SECONDS)

    def log(self, job_id: int) -> str:
        return str(self._client.get(f"/api/jobs/{job_id}/log")["text"])

    def artifacts(self, job_id: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.get(f"/api/jobs/{job_id}/artifacts")
        return found

    def _start_server(self) -> Child:
        with self._view.step("Starting the server"):
            environment = {"BVO_DATA_DIR": str(self._folder / "server"), "BVO_ENV": "development"}
            arguments = ["serve", "--host", "127.0.0.1", "--port", str(self._port)]
            server = self._start("server", arguments, environment)
            deadline = time.monotonic() + START_SECONDS
            while not self._client.healthy():
                if server.ended or time.monotonic() > deadline:
                    raise DemoFailed(f"The server did not start:\n{server.last_words()}")
                time.sleep(POLL_SECONDS)
            self._client.log_in("admin", "admin123")
        return server

    def _start_runner(self, machine_key: str) -> Child:
        with self._view.step("Starting a runner"):
            home = self._folder / "runner"
            (home / "robot.json").unlink(missing_ok=True)  # the token of an earlier demo's server
            environment = {
                "BVO_RUNNER_HOME": str(home),
                "BVO_RUNNER_MACHINE_KEY": machine_key,
                "UV_CACHE_DIR": str(self._folder / "uv-cache"),
            }
            arguments = ["runner", "--url", self.url, "--name", "demo-robot", "--poll-seconds", "0.2"]
            return self._start("runner", arguments, environment)

    def _start(self, name: str, arguments: list[str], environment: dict[str, str]) -> Child:
        child = Child(name, arguments, environment, self._folder / f"{name}.log")
        self._children.append(child)
        return child

    def _upload(self) -> dict[str, Any]:
        with self._view.step(f"Uploading the package {PACKAGE} {VERSION}"):
            file = {"file": (f"{PACKAGE}_{VERSION}.zip", _zipped(_examples() / PACKAGE))}
            uploaded: dict[str, Any] = self._client.post("/api/packages/upload", files=file)
            return uploaded

    def _step(self, title: str, path: str, **body: Any) -> dict[str, Any]:
        with self._view.step(title):
            made: dict[str, Any] = self._client.post(path, json=body)
            return made

    def _watch(self, job_id: int, *children: Child) -> dict[str, Any]:
        deadline = time.monotonic() + JOB_SECONDS
        with self._view.watching() as watching:
            while True:
                job: dict[str, Any] = self._client.get(f"/api/jobs/{job_id}")
                watching.show(job, children[-1].output())
                if job["finished_at"]:
                    return job
                for child in children:
                    if child.ended:
                        raise DemoFailed(f"The {child.name} ended before the job did:\n{child.last_words()}")
                if time.monotonic() > deadline:
                    raise DemoFailed(f"The job did not end within {JOB_SECONDS} s. It is {job['status']}.")
                time.sleep(POLL_SECONDS)


def _examples() -> Path:
    """Beside this module in an installed wheel, and in the checkout otherwise."""
    here = Path(__file__).resolve()
    return next(
        folder for folder in (here.parent / "examples", here.parents[2] / "examples" / "packages") if folder.is_dir()
    )


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()
