"""A control plane in a thread, written from the wire contract only, and a runner that works for it."""

from __future__ import annotations

import contextlib
import email
import email.policy
import hashlib
import io
import json
import subprocess
import sys
import threading
import time
import urllib.parse
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bvo_agent.agent import Agent, Settings
from bvo_agent.home import Home
from bvo_agent.journal import Journal
from bvo_agent.output import JobLog
from bvo_agent.protocol import Job
from bvo_agent.shutdown import Shutdown

MACHINE_KEY = "machine-key"
LOST_ANSWER = -1


class ControlPlane:
    """`answers` holds HTTP statuses to give to the next requests of a path's last part.

    0 hangs up, and LOST_ANSWER does so after the request was carried out.
    """

    def __init__(self) -> None:
        self.url = ""
        self.registrations = 0
        self.queue: list[dict[str, Any]] = []
        self.packages: dict[int, bytes] = {}
        self.answers: dict[str, list[int]] = defaultdict(list)
        self.lease_states: dict[int, str] = {}
        self.lease_seconds: float | None = None
        self.heartbeat_seconds: float | None = None
        self.seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.headers: dict[str, list[dict[str, str]]] = defaultdict(list)
        self.times: dict[str, list[float]] = defaultdict(list)
        self.artifacts: dict[str, bytes] = {}
        self.downloads = 0
        self.claim_keys: list[str | None] = []
        self.knows_next = True
        self.answers_claims = threading.Event()
        """Who asks for a job, and would wait for it, waits for this."""
        self.answers_claims.set()
        self._claims: dict[str, dict[str, Any]] = {}
        self.assets: dict[str, dict[str, Any]] = {}
        self.items: list[dict[str, Any]] = []

    def add_item(self, **fields: Any) -> None:
        """Puts an item into the queue `orders`."""
        number = len(self.seen["next"]) + len(self.items) + 1
        item = {"id": number, "payload": None, "reference": None, "attempt": 1, "retries": 0}
        self.items.append({**item, "item_lease": f"item-lease-{number}", "lease_seconds": 300, **fields})

    def add_job(self, files: dict[str, str | bytes], *, script: str = "main.py", **claim: Any) -> int:
        """Queues a job whose package has these files; keyword arguments replace fields of the claim."""
        number = len(self.packages) + 1
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        data = self.packages[number] = buffer.getvalue()
        job = {
            "id": number,
            "status": "running",
            "parameters": {},
            "attempt": 1,
            "lease_token": f"lease-{number}",
            "lease_seconds": 60,
            "heartbeat_seconds": 10,
            "timeout_seconds": None,
            "process": {"id": 1, "name": "Invoices", "script_path": script, "package_id": number},
            "package": {
                "id": number,
                "name": "pkg",
                "version": "1.0",
                "sha256": hashlib.sha256(data).hexdigest(),
            },
        }
        self.queue.append({**job, **claim})
        return number

    @property
    def token(self) -> str:
        return f"token-{self.registrations}"

    @property
    def result(self) -> dict[str, Any]:
        """The only result that was posted."""
        (update,) = self.seen["update"]
        return update

    @property
    def log_text(self) -> str:
        chunks: dict[int, str] = {}
        for body in self.seen["log"]:
            assert chunks.setdefault(body["sequence"], body["text"]) == body["text"]
        assert sorted(chunks) == list(range(1, len(chunks) + 1))
        return "".join(chunks[number] for number in sorted(chunks))

    def reply(self, path: str, headers: Any, body: dict[str, Any]) -> tuple[int, Any]:
        if path == "/api/runner/register-robot":
            if headers.get("X-Machine-Key") != MACHINE_KEY:
                return 401, {"detail": "This machine key is unknown."}
            self.registrations += 1
            return 200, {"robot_id": 7, "api_token": self.token, "name": body["name"]}
        if headers.get("X-Robot-Token") != self.token:
            return 401, {"detail": "Robot token is not valid."}
        if path == "/api/runner/next-job":
            return 200, {"job": self._claimed(headers.get("Idempotency-Key"))}
        if path == "/api/runner/heartbeat":
            leases = [
                {
                    "job_id": each["job_id"],
                    "state": self.lease_states.get(each["job_id"], "valid"),
                    "lease_seconds": self.lease_seconds,
                }
                for each in body.get("leases", [])
            ]
            return 200, {"status": "ok", "heartbeat_seconds": self.heartbeat_seconds, "leases": leases}
        if path.startswith("/api/runner/queues/"):
            return self._reply_of_a_queue(path)
        if "next" in body and self.knows_next:
            return 200, {"status": "ok", "job": self._claimed(headers.get("Idempotency-Key"))}
        return 200, {"status": "ok"}

    def _claimed(self, key: str | None) -> dict[str, Any] | None:
        if again := self._claims.get(key or ""):
            return {**again, "lease_token": f"{again['lease_token']}-again"}
        job = self.queue.pop(0) if self.queue else None
        if job and key:
            self._claims[key] = job
        return job

    def _reply_of_a_queue(self, path: str) -> tuple[int, Any]:
        if path == "/api/runner/queues/orders/next":
            return 200, {"item": self.items.pop(0) if self.items else None}
        if path == "/api/runner/queues/orders/items":
            return 201, {"id": 77}
        return 404, {"detail": "Queue not found."}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    plane: ControlPlane

    def do_GET(self) -> None:
        if self.path.startswith("/api/runner/assets/"):
            self._send_asset(urllib.parse.unquote(self.path.removeprefix("/api/runner/assets/")))
            return
        self.plane.downloads += 1
        self._send(200, self.plane.packages[int(self.path.split("/")[3])])

    def do_POST(self) -> None:
        plane, action = self.plane, self.path.rsplit("/", 1)[1]
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if action == "next-job":
            plane.claim_keys.append(self.headers.get("Idempotency-Key"))
        told = plane.answers[action].pop(0) if plane.answers[action] else None
        if told == 0:
            self.close_connection = True
            return
        if told is not None and told != LOST_ANSWER:
            self._send(told, json.dumps({"detail": f"told to answer {told}"}).encode())
            return
        if action == "artifacts":
            name, content = self._file(data)
            plane.artifacts[name] = content
            self._send(201, b"{}")
            return
        body = json.loads(data)
        if body.get("wait_seconds"):
            plane.seen["waiting"].append(body)
            plane.answers_claims.wait(body["wait_seconds"])
        status, answer = plane.reply(self.path, self.headers, body)
        if status < 300:
            plane.seen[action].append(body)
            plane.headers[action].append(dict(self.headers))
            plane.times[action].append(time.monotonic())
        if told == LOST_ANSWER:
            self.close_connection = True
            return
        self._send(status, json.dumps(answer).encode())

    def _send_asset(self, name: str) -> None:
        plane = self.plane
        plane.seen["assets"].append({"name": name})
        plane.headers["assets"].append(dict(self.headers))
        status = plane.answers["assets"].pop(0) if plane.answers["assets"] else 200
        if not status:
            self.close_connection = True
            return
        if status == 200 and name not in plane.assets:
            status = 404
        answer = {"detail": f"told to answer {status} for {name!r}"}
        self._send(status, json.dumps(plane.assets[name] if status == 200 else answer).encode())

    def _file(self, data: bytes) -> tuple[str, bytes]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + data, policy=email.policy.HTTP)
        (part,) = message.iter_parts()
        return part.get_filename(), part.get_payload(decode=True)

    def _send(self, status: int, content: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # the runner has gone
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    control = ControlPlane()
    handler = type("BoundHandler", (Handler,), {"plane": control})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    control.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield control
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def uv_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "uv-cache"))


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bvo_agent.retry.FIRST_SECONDS", 0.05)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def run_once(plane: ControlPlane, home: Home) -> Callable[[], bool]:
    """Runs at most one job in this process; whether it completed."""

    def run() -> bool:
        settings = Settings(url=plane.url, name="robot-01", machine_key=MACHINE_KEY, home=home, poll_seconds=0.05)
        return Agent(settings, Shutdown()).run(once=True)

    return run


@pytest.fixture
def start_runner(plane: ControlPlane, home: Home) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command in a process of its own; its stderr is a pipe."""
    started = []

    def start(*arguments: str, key: str | None = MACHINE_KEY) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "bvo_agent", "--url", plane.url, "--name", "robot-01"]
        command += ["--home", str(home.root), "--poll-seconds", "0.05", *arguments]
        command += ["--machine-key", key] if key else []
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def make_log(tmp_path: Path) -> Callable[..., JobLog]:
    """A log of the job 1, whose journal lies in `tmp_path`."""

    def make(**options: Any) -> JobLog:
        job = Job.from_claim(
            {"id": 1, "process": {"script_path": "main.py", "package_id": 1}, "lease_token": "lease-1"}
        )
        return JobLog("job 1", Journal.begin(tmp_path, job, "http://server"), **options)

    return make


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    def wait(condition: Callable[[], object], seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.01)

    return wait


@pytest.fixture
def tiny_wheel() -> tuple[str, bytes]:
    """Name and content of a wheel with one module, `tinydep`."""
    info = "tinydep-1.0.dist-info"
    files = {
        "tinydep.py": "ANSWER = 42\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tinydep\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return "tinydep-1.0-py3-none-any.whl", buffer.getvalue()
