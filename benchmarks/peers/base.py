"""What all peers have: an installation, tasks that are filled in, workers, and a count of what is done."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from sqlalchemy import Engine, NullPool, create_engine, text

PROGRAMS = Path(__file__).parent / "programs"
START_SECONDS = 60
WARM_SECONDS = 0.5
LOOK_SECONDS = 0.25


class Missing(Exception):
    """This peer can't be had here; the message says why."""


class Peer(ABC):
    """One peer. `target` is how many times as fast our robots should be.

    `tasks` is how many are pending at first: more are not needed, and most peers are slower with more.
    """

    name: ClassVar[str]
    target: ClassVar[float]
    tasks: ClassVar[int] = 30_000

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[bytes]] = []
        self.environment: dict[str, str] = {}

    @abstractmethod
    def install(self) -> str:
        """Install what is not there yet, and return the version. Raises Missing."""

    @abstractmethod
    def prepare(self, database: str) -> None:
        """Make its tables in the database with this URL (of the form `postgresql://`)."""

    @abstractmethod
    def fill(self, count: int) -> None:
        """Queue so many tasks, instead of what was left."""

    @abstractmethod
    def workers(self) -> list[list[str]]:
        """The commands that do the work."""

    @abstractmethod
    def left(self) -> int:
        """How many tasks are not done."""

    def rate(self, seconds: float) -> float:
        """Tasks per second: counted from when the workers have begun, for so long or until all is done."""
        self.fill(self.tasks)
        for command in self.workers():
            self.start(command)
        try:
            self._await_begin()
            before, started = self.left(), time.perf_counter()
            while (after := self.left()) > 0 and time.perf_counter() < started + seconds:
                time.sleep(LOOK_SECONDS)
            return (before - after) / (time.perf_counter() - started)
        finally:
            self.stop()

    def close(self) -> None:
        """End what still runs."""
        self.stop()

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Run a command beside us, in a process group of its own; what it prints is in the peer's log."""
        with (self.folder / f"{self.name.split()[0].lower()}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=self._environ(), cwd=PROGRAMS, stdout=log, stderr=log, start_new_session=True
            )
        self._running.append(process)
        return process

    def stop(self) -> None:
        while self._running:
            process = self._running.pop()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def run(self, *command: str | Path, timeout: float = 600) -> str:
        """Run a command to its end, and return what it printed. Raises Missing with the reason where it fails."""
        given = [str(part) for part in command]
        try:
            done = subprocess.run(
                given, env=self._environ(), cwd=PROGRAMS, capture_output=True, text=True, timeout=timeout, check=True
            )
        except FileNotFoundError:
            raise Missing(f"{given[0]} was not found") from None
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip() or error.stdout.strip() or "no message").splitlines()[-1]
            raise Missing(f"{Path(given[0]).name} failed: {reason}") from None
        return done.stdout

    def _await_begin(self) -> None:
        deadline, queued = time.monotonic() + START_SECONDS, self.left()
        while self.left() >= queued:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does nothing; look into its log in {self.folder}")
            time.sleep(0.05)
        time.sleep(WARM_SECONDS)

    def _environ(self) -> Mapping[str, str]:
        return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | self.environment


class DatabasePeer(Peer):
    """A peer whose tasks are rows of a table: it is filled, emptied and counted by SQL."""

    fill_sql: ClassVar[str]
    left_sql: ClassVar[str]
    clear_sql: ClassVar[str]

    def prepare(self, database: str) -> None:
        self.address = database
        self._engine: Engine = create_engine(
            database.replace("://", "+psycopg://"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )

    def fill(self, count: int) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(self.clear_sql))
            connection.execute(text(self.fill_sql), {"count": count})
            connection.execute(text("VACUUM ANALYZE"))

    def left(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(text(self.left_sql)).scalar_one())


def node(peer: Peer, package: str) -> str:
    """Install a package of npm, and return its version. Node finds it by NODE_PATH."""
    home = peer.folder / "node"
    home.mkdir(exist_ok=True)
    modules = home / "node_modules"
    if not (modules / package).exists():
        peer.run("npm", "install", "--no-audit", "--no-fund", "--prefix", home, package)
    peer.environment["NODE_PATH"] = str(modules)
    return peer.run("node", "-p", f"require('{modules / package}/package.json').version").strip()


def venv(peer: Peer, package: str, *requirements: str) -> tuple[Path, str]:
    """Install Python packages into a virtual environment; returns its `bin`, and the first one's version."""
    home = peer.folder / package
    programs = home / ("Scripts" if sys.platform == "win32" else "bin")
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        peer.run(sys.executable, "-m", "venv", home)
        peer.run(programs / "python", "-m", "pip", "install", "-q", package, *requirements)
        (home / "complete").touch()
    show = f"import importlib.metadata; print(importlib.metadata.version('{package}'))"
    return programs, peer.run(programs / "python", "-c", show).strip()


def found(names: Sequence[str], how: str) -> str:
    """The path of the first of these programs that the system has. Raises Missing with how to get it."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise Missing(how)
