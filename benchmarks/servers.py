"""What a benchmark starts, on loopback and in folders of its own: PostgreSQL, databases, and `bvo serve`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import rows
from postgres import Cluster, free_port
from sqlalchemy import Engine, NullPool, create_engine

from bvo import create_app, migrations
from bvo.database import db

BVO = (sys.executable, "-c", "from bvo.cli import main; main()")
START_SECONDS = 60


class Database:
    """A migrated database of its own, and an engine of the benchmark that leads to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = create_engine(url, poolclass=NullPool)
        self.kind = self.engine.dialect.name


class Server:
    """`bvo serve` on a free port, with its background worker."""

    def __init__(self, port: int, log: Path, settings: Mapping[str, str]) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("BVO_", "DATABASE_URL"))}
        self.port = port
        self._log, self._environment = log, {**kept, **settings}
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, command: list[str]) -> None:
        with self._log.open("ab") as log:
            self._started.append(
                subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, start_new_session=True)
            )

    def wait(self) -> None:
        """Return when it answers. Raises RuntimeError, with what it printed, where it does not."""
        deadline = time.monotonic() + START_SECONDS
        while not self._healthy():
            if self._started[0].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"bvo serve did not start:\n{self.log()}")
            time.sleep(0.05)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def cpu_seconds(self) -> float:
        """What all its processes have used so far."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(each.user + each.system for each in times)

    def memory_megabytes(self) -> float:
        """The memory of all its processes; what they share counts once."""
        return float(sum(process.memory_full_info().pss for process in self._processes())) / 1e6

    def stop(self) -> None:
        """At once: nothing of it is kept. Each has a process group of its own, so nothing else is hit."""
        for process in self._started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _processes(self) -> list[psutil.Process]:
        mains = [psutil.Process(process.pid) for process in self._started]
        return [*mains, *(child for main in mains for child in main.children(recursive=True))]

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (TimeoutError, urllib.error.URLError, ConnectionError):
            return False


class Site:
    """Everything that one benchmark uses. A context manager: at its end all is stopped and removed."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._numbers = 0
        self._templates: dict[str, str] = {}
        self._cluster: Cluster | None = None

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bvo-benchmark-")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def cluster(self) -> Cluster:
        """The PostgreSQL server, started when it is asked for first."""
        if self._cluster is None:
            self._cluster = self._stack.enter_context(Cluster())
        return self._cluster

    def database(self, kind: str, robots: int) -> Database:
        """A fresh database with one process and so many robots; `kind` is `postgresql` or `sqlite`.

        It is a copy of one that is made once, and which has as many robots as were asked for first.
        """
        if kind not in self._templates:
            self._templates[kind] = self._template(kind, robots)
        return Database(self._new(kind, self._templates[kind]))

    def serve(self, database: Database, *, plain: bool = False, **environment: str) -> Server:
        """Start `bvo serve` for this database; `plain` serves the Flask app as any WSGI server would."""
        port = free_port()
        settings = {"BVO_DATABASE_URL": database.url, "BVO_DATA_DIR": str(self.folder / "data"), **environment}
        if "PYTHONPATH" in environment:
            settings["PYTHONPATH"] = os.pathsep.join((environment["PYTHONPATH"], os.environ.get("PYTHONPATH", "")))
        server = Server(port, self.folder / f"serve-{port}.log", settings)
        self._stack.callback(server.stop)
        workers = "1" if database.kind == "sqlite" else "2"
        for command in _plain(port, workers) if plain else [[*BVO, "serve", "--port", str(port)]]:
            server.start(command)
        return server

    def _new(self, kind: str, template: str | None) -> str:
        self._numbers += 1
        if kind == "postgresql":
            return self.cluster.create(f"benchmark_{self._numbers}", template)
        path = self.folder / f"{self._numbers}.db"
        if template:
            shutil.copyfile(template.removeprefix("sqlite:///"), path)
        return f"sqlite:///{path}"

    def _template(self, kind: str, robots: int) -> str:
        url = self._new(kind, None)
        app = create_app({"BVO_DATABASE_URL": url, "BVO_DATA_DIR": self.folder / "data"})
        with app.app_context():
            migrations.upgrade()
        with app.app_context():
            with db.engine.begin() as connection:
                rows.add_process(connection)
                rows.add_robots(connection, robots)
            db.engine.dispose()  # neither a file nor a database is copied that is in use
        return url


def _plain(port: int, workers: str) -> list[list[str]]:
    granian = [sys.executable, "-m", "granian", "--factory", "--interface", "wsgi", "--port", str(port), "--no-ws"]
    return [
        [*granian, "--workers", workers, "--blocking-threads", "4", "--no-log", "bvo:create_app"],
        [*BVO, "worker"],
    ]


def started(*servers: Server) -> None:
    """Wait until all of them answer."""
    for server in servers:
        server.wait()
