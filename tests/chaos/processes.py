"""The processes that a run starts, and may therefore kill. It touches no others."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from support.servers import BVO, environment

from .stage import Stage

MARK = "BVO_CHAOS_RUN"
"""An environment variable with the folder of the run: every process that the run started has it."""
START_SECONDS = 60


class Owned:
    """One command, in a process group of its own. Killing it kills the whole group, as a power cut does."""

    def __init__(self, stage: Stage, name: str, command: tuple[str, ...], variables: Mapping[str, Any]) -> None:
        self.name = name
        self.lock = threading.Lock()
        """Held by the one fault that may touch this process now."""
        self._stage, self._command = stage, command
        self._log = stage.folder / f"{name}.log"
        self._environment = _without_coverage(environment(**{**variables, MARK: stage.folder}))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """End it and what it started in its group, without warning."""
        self._signal(signal.SIGKILL)
        self.process.wait(30)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it as an operator does; kill it if that takes too long."""
        if self._process is None or self.has_ended:
            return
        self.thaw()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.name} was never started"
        return self._process

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def assert_runs(self, moment: str) -> None:
        """Raise AssertionError, with the end of its log, where it has ended by itself."""
        assert not self.has_ended, f"{self.name} ended by itself while {moment}\n{self.log()[-3000:]}"

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def members(self) -> list[int]:
        """The ids of all processes of its group."""
        return [pid for pid in _pids() if _group(pid) == self.process.pid]

    def children(self) -> list[int]:
        """Of its group, those that it has started."""
        return [pid for pid in self.members() if pid != self.process.pid]

    def _signal(self, number: signal.Signals) -> None:
        """To its whole group; to nobody where it has ended by itself, as a server without its database does."""
        if self.has_ended:
            return
        with contextlib.suppress(ProcessLookupError):  # it has ended at this moment
            assert_owned(self.process, self._stage.folder)
            os.killpg(self.process.pid, number)


class Server(Owned):
    """`bvo serve`, with its web workers and its background worker."""

    def __init__(self, stage: Stage, port: int, variables: Mapping[str, Any]) -> None:
        super().__init__(stage, "server", (*BVO, "serve", "--port", str(port)), variables)
        self.url = f"http://127.0.0.1:{port}"
        self._looked_at: subprocess.Popen[bytes] | None = None
        self._first_child = 0

    def start(self) -> None:
        super().start()
        self.revive()

    def revive(self) -> None:
        """Wait until it serves; start it where it has ended, as a supervisor does.

        It ends where the database does not answer when it starts, and where two web workers die within 5 s.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self.healthy():
            assert time.monotonic() < deadline, f"bvo serve does not answer:\n{self.log()[-3000:]}"
            if self.has_ended:
                super().start()
            time.sleep(0.05)
        if self._looked_at is not self.process:
            self._looked_at, self._first_child = self.process, min(self.children(), key=_started)

    def healthy(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    def kill_child(self, command: bytes) -> None:
        """Kill one web worker (`serve`), or the background worker (`worker`); the server starts another one.

        The first background worker is a fork that comes before all others; only the next ones have their own command.
        """
        named = {pid: _command_line(pid).split(b"\0")[3:4] for pid in self.children()}
        if self._first_child in named:
            named[self._first_child] = [b"worker"]
        workers = [pid for pid, name in named.items() if name == [command]]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                assert_marked(workers[0], self._stage.folder)
                os.kill(workers[0], signal.SIGKILL)


def assert_owned(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Raise AssertionError unless this run started the process, and it has not been waited for: its id is its own."""
    assert process.poll() is None, f"process {process.pid} has ended by itself"
    assert_marked(process.pid, folder)
    assert os.getpgid(process.pid) == process.pid, f"process {process.pid} leads no group of its own"


def assert_marked(pid: int, folder: Path) -> None:
    """Raise AssertionError unless the process bears the mark of this run, ProcessLookupError where it has ended."""
    folder_of_process, tries = Path(f"/proc/{pid}"), 100
    try:
        while not (variables := (folder_of_process / "environ").read_bytes()) and (tries := tries - 1):
            if (folder_of_process / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z":
                raise ProcessLookupError(f"process {pid} has ended")
            time.sleep(0.02)  # it is only just being started
    except FileNotFoundError:
        raise ProcessLookupError(f"process {pid} has ended") from None
    assert f"{MARK}={folder}".encode() in variables.split(b"\0"), f"process {pid} is not one of the run in {folder}"


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _started(pid: int) -> int:
    """When, in ticks since the machine started."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _without_coverage(variables: dict[str, str]) -> dict[str, str]:
    """A process that is killed while it writes its coverage would leave a damaged file."""
    return {name: value for name, value in variables.items() if not name.startswith("COV")}
