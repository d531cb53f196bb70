"""A real Redis of the tests' own, from the `redis-server` that the system has."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from support.servers import free_port


class RedisServer:
    """A context manager: a server on a free port, in a folder of its own, where it keeps what it acknowledged.

    `options` are those of its command line; `login` is what a client needs to get in.
    """

    def __init__(self, folder: Path, *options: str, **login: Any) -> None:
        self.port = free_port()
        self.url = f"redis://localhost:{self.port}"
        self._folder, self._options, self._login = folder, options, login
        self._process: subprocess.Popen[bytes] | None = None
        self.client: Any = redis.Redis(**self._reached(), decode_responses=True, socket_timeout=30)
        """For the tests themselves: it waits for the server as long as that takes."""

    @staticmethod
    def available() -> bool:
        return shutil.which("redis-server") is not None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *ended_by: object) -> None:
        self.client.close()
        self.stop(signal.SIGKILL)

    def start(self) -> None:
        assert self._process is None
        self._folder.mkdir(exist_ok=True)
        port = ("--port", "0", "--tls-port", str(self.port)) if "ssl" in self._login else ("--port", str(self.port))
        kept = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        command = ("redis-server", "--bind", "127.0.0.1", *port, "--dir", str(self._folder), *kept, *self._options)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"redis-server did not start:\n{(self._folder / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, also where it is frozen. Nothing where it is not running."""
        if self._process:
            self._process.send_signal(how)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(30)
        self._process = None

    def freeze(self) -> None:
        """Let it answer nothing any more; the system takes connections on its behalf."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def entries(self, name: str = "bvo:events") -> list[dict[str, str]]:
        """The fields of each entry of the stream, in its order."""
        return [fields for _, fields in self.client.xrange(name)]

    def ids(self) -> list[str]:
        """The ids of the events in the stream."""
        return [fields["id"] for fields in self.entries()]

    def _answers(self) -> bool:
        with redis.Redis(**self._reached(), retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    def _reached(self) -> dict[str, Any]:
        return {"host": "localhost", "port": self.port} | self._login


def login(port: int, **values: Any) -> dict[str, Any]:
    """What `Stream` needs to know of a server on this machine."""
    return {"host": "localhost", "port": port, "db": 0, "username": None, "password": None} | values
