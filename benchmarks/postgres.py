"""A PostgreSQL server of the benchmark's own, with the programs that the system has. Its commits wait for the disk."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "timezone": "UTC",
}
"""The same for the product and for all peers; what is not named here is as PostgreSQL comes: durable."""


class Cluster:
    """A context manager. `url` leads to its maintenance database."""

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="bvo-benchmark-pg-"))
        if os.geteuid() == 0:
            shutil.chown(self._folder, pwd.getpwnam("postgres").pw_uid)
        data, self.port = self._folder / "data", free_port()
        arguments = ["-D", str(data), "-U", "bvo", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run([*as_postgres(), binary("initdb"), *arguments], check=True, stdout=subprocess.DEVNULL)
        settings = SETTINGS | {"port": str(self.port), "unix_socket_directories": str(self._folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [*as_postgres(), binary("postgres"), "-D", str(data), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.url = self.database("postgres")
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        self._process.wait(60)
        shutil.rmtree(self._folder, ignore_errors=True)

    def database(self, name: str) -> str:
        return f"postgresql+psycopg://bvo@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, template: str | None = None) -> str:
        """Make a database, as a copy of the one with the URL `template`; returns its URL."""
        source = template.rpartition("/")[2] if template else "template0"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY FILE_COPY")
        return self.database(name)

    def _execute(self, statement: str) -> None:
        engine = create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self._execute("SELECT 1")
                return
            except OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)


def binary(name: str) -> str:
    """Where this program of PostgreSQL is. Raises FileNotFoundError, which says what to install."""
    found = next((str(folder / name) for folder in BINARIES if (folder / name).exists()), shutil.which(name))
    if found is None:
        raise FileNotFoundError(f"{name} was not found. Install PostgreSQL (Debian: apt install postgresql).")
    return found


def as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
