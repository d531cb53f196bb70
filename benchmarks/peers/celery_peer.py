"""Celery with Redis, which keeps tasks and results. Redis is as it comes: it does not wait for the disk."""

from __future__ import annotations

import socket
import time

from .base import START_SECONDS, Peer, found, venv


class CeleryRedis(Peer):
    """One worker with two processes."""

    name = "Celery + Redis"
    target = 5
    tasks = 6_000

    def install(self) -> str:
        self._redis = found(["redis-server", "valkey-server"], "no redis-server (Debian: apt install redis-server)")
        self._bin, version = venv(self, "celery", "celery[redis]")
        return version

    def prepare(self, database: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.environment["REDIS_URL"] = f"redis://127.0.0.1:{self._port}/0"
        command = [self._redis, "--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        self._server = self.start(command)
        self._running.remove(self._server)
        self._await_redis()

    def fill(self, count: int) -> None:
        self._ask("FLUSHALL")
        self.run(self._bin / "python", "celery_worker.py", str(count))
        self._count = count

    def workers(self) -> list[list[str]]:
        options = ["--concurrency", "2", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
        return [[str(self._bin / "celery"), "-A", "celery_worker", "worker", *options]]

    def left(self) -> int:
        """Each result is a key; beside them are a few of the broker."""
        return self._count - int(self._ask("DBSIZE").lstrip(":"))

    def close(self) -> None:
        super().close()
        if hasattr(self, "_server"):
            self._server.kill()
            self._server.wait()

    def _ask(self, command: str) -> str:
        with socket.create_connection(("127.0.0.1", self._port), 10) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(1000).decode().strip()

    def _await_redis(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._ask("PING")
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
