"""A real PostgreSQL for the tests: the one of TEST_DATABASE_URL, or a throw-away cluster of the system's own server."""

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

import psycopg

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class Cluster:
    """A PostgreSQL server. `url` leads to its maintenance database."""

    def __init__(self) -> None:
        self.url = os.environ.get("TEST_DATABASE_URL", "")
        self.external = bool(self.url)
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def available() -> bool:
        return bool(os.environ.get("TEST_DATABASE_URL") or _binary("initdb"))

    def start(self) -> None:
        if self.url:
            return
        self._folder, port = Path(tempfile.mkdtemp(prefix="bvo-pg-")), _free_port()
        create(self._folder)
        command = (*server_command(self._folder, port), "-c", "fsync=off", "-c", "max_connections=300")
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"postgresql://bvo@127.0.0.1:{port}/postgres"
        _wait(self.url)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # waits for no client to close its connection
            self._process.wait(30)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def database(self, name: str) -> str:
        """The URL of a database of this server."""
        return self.url.rsplit("/", 1)[0] + f"/{name}"


def create(folder: Path) -> None:
    """Make an empty cluster in the folder, and give it to the user whom PostgreSQL runs as."""
    _give_to_postgres(folder)
    _run("initdb", "-D", str(folder / "data"), "-U", "bvo", "-A", "trust", "--no-sync", "-E", "UTF8")


def server_command(folder: Path, port: int) -> tuple[str, ...]:
    """What starts the server of the cluster in the folder, for this machine alone."""
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    return (*_as_postgres(), str(_binary("postgres")), "-D", str(folder / "data"), *options.split())


def _binary(name: str) -> str | None:
    on_path = shutil.which(name)
    return next((str(folder / name) for folder in BINARIES if (folder / name).exists()), on_path)


def _run(name: str, *arguments: str) -> None:
    subprocess.run([*_as_postgres(), str(_binary(name)), *arguments], check=True, stdout=subprocess.DEVNULL)


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []


def _give_to_postgres(folder: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
