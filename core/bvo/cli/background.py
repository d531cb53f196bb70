"""Background workers: processes of their own, started again where they end by themselves."""

from __future__ import annotations

import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

import click
from flask import Flask

from bvo.database import db

log = logging.getLogger(__name__)

STOP_SECONDS = 10
"""A worker may take so long for its last step; one that has begun others, which may hang, twice as long."""
SETTLED_SECONDS = 60
MOST_WAIT_SECONDS = 60.0
"""Before a plugin's worker is started again that ends each time soon after it has begun."""
LOOK_SECONDS = 1
"""How soon a worker is missed that has ended. It ends where the database does not answer when it starts."""


Work = Callable[[Flask, str, Callable[[], None]], None]
"""What a worker process does for a plugin, or for all others, until the function returns."""


class _Process(Protocol):
    def poll(self) -> int | None:
        """The code that it ended with; None where it runs."""

    def stop(self) -> None:
        """Tell it to end after its step."""

    def wait(self, seconds: float) -> bool:
        """True as soon as it has ended; False where it has not in this time."""

    def kill(self) -> None: ...


@dataclass
class _Kept:
    """A worker that is started again where it ends by itself; `ends` counts those that ended soon after they began."""

    plugin: str
    process: _Process
    began: float
    ends: int = 0
    again_at: float | None = None

    def look(self) -> None:
        """Start it again, where it has ended: at once, but not again and again."""
        now = time.monotonic()
        code = self.process.poll()
        if code is None:
            return
        if self.again_at is None:
            self.ends = 0 if now - self.began > SETTLED_SECONDS else self.ends + 1
            wait = min(2.0 ** (self.ends - 1), MOST_WAIT_SECONDS) if self.plugin and self.ends else 0
            self.again_at = now + wait
            later = f" in {wait:.0f} s" if wait else ""
            whose = f" of the plugin {self.plugin!r}" if self.plugin else ""
            click.echo(f"bvo: the background worker{whose} ended ({code}); starting it again{later}", err=True)
        if now >= self.again_at:
            self.process, self.began, self.again_at = _Command(self.plugin), now, None


class BackgroundWorkers:
    """A context manager: a worker process for each of these plugins; of the name "" it is the one of all others.

    They stop when this process ends, in whatever way. The first ones are forks of this process, where web workers are:
    they share the app's memory. No fork may meet threads, so a worker that is started again builds its own app.
    """

    def __init__(self, app: Flask, work: Work, plugins: Sequence[str] = ("",)) -> None:
        self._app, self._work, self._plugins = app, work, plugins

    def __enter__(self) -> Self:
        self._closing = threading.Event()
        with self._app.app_context():
            db.session.close()  # it gives its connection back, else that one would outlive the next line
            db.engine.dispose()  # forks must not share connections
        forks = multiprocessing.get_start_method() == "fork" and threading.active_count() == 1
        self._kept = [
            _Kept(plugin, _Fork(self._app, self._work, plugin) if forks else _Command(plugin), time.monotonic())
            for plugin in self._plugins
        ]
        self._keeper = threading.Thread(target=self._keep, name="background-workers", daemon=True)
        self._keeper.start()
        return self

    def __exit__(self, *ended_by: object) -> None:
        self._closing.set()
        self._keeper.join()
        for kept in self._kept:
            kept.process.stop()
        seconds = STOP_SECONDS if all(self._plugins) else 2 * STOP_SECONDS
        until = time.monotonic() + seconds
        for kept in self._kept:
            if not kept.process.wait(max(0, until - time.monotonic())):
                log.warning("A background worker did not end within %s s and was killed", seconds)
                kept.process.kill()

    def _keep(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            for kept in self._kept:
                kept.look()


class _Fork:
    """A worker with the app of this process."""

    def __init__(self, app: Flask, work: Work, plugin: str) -> None:
        fork, until = multiprocessing.get_context("fork"), partial(_wait_for_end, os.getpid())
        self._process = fork.Process(target=work, args=(app, plugin, until), name="background-worker")
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def stop(self) -> None:
        self._process.terminate()

    def wait(self, seconds: float) -> bool:
        self._process.join(seconds)
        return self._process.exitcode is not None

    def kill(self) -> None:
        self._process.kill()


def _wait_for_end(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)


class _Command:
    """`bvo worker`, which stops when its standard input closes: it does when this process ends."""

    def __init__(self, plugin: str) -> None:
        command = [sys.executable, "-c", "from bvo.cli import main; main()", "worker", "--until-stdin-closes"]
        command += ["--plugin", plugin] if plugin else []
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def poll(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()

    def wait(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        self._process.kill()
