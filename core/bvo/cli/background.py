"""The background worker of `bvo serve`: a process of its own, started again where it ends by itself."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Protocol, Self

import click
from flask import Flask

from .worker import work

log = logging.getLogger(__name__)

STOP_SECONDS = 10
LOOK_SECONDS = 1
"""How soon a worker is missed that has ended. It ends where the database does not answer when it starts."""


class _Process(Protocol):
    def poll(self) -> int | None:
        """The code that it ended with; None where it runs."""

    def stop(self) -> None:
        """Tell it to end after its step."""

    def wait(self, seconds: float) -> bool:
        """True as soon as it has ended; False where it has not in this time."""

    def kill(self) -> None: ...


class BackgroundWorker:
    """A context manager. The worker stops when this process ends, in whatever way.

    The first worker is a fork of this process, where web workers are: it shares the app's memory. It has to be entered
    before this process has threads, which no fork may meet; so a worker that is started again builds its own app.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __enter__(self) -> Self:
        self._closing = threading.Event()
        forks = multiprocessing.get_start_method() == "fork"
        self._process: _Process = _Fork(self._app) if forks else _Command()
        self._keeper = threading.Thread(target=self._keep, name="background-worker", daemon=True)
        self._keeper.start()
        return self

    def __exit__(self, *ended_by: object) -> None:
        self._closing.set()
        self._keeper.join()
        self._process.stop()
        if not self._process.wait(STOP_SECONDS):
            log.warning("The background worker did not end within %s s and was killed", STOP_SECONDS)
            self._process.kill()

    def _keep(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            code = self._process.poll()
            if code is not None:
                click.echo(f"bvo: the background worker ended ({code}); starting it again", err=True)
                self._process = _Command()


class _Fork:
    """A worker with the app of this process."""

    def __init__(self, app: Flask) -> None:
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=_work, args=(app, os.getpid()), name="background-worker")
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


def _work(app: Flask, parent: int) -> None:
    threading.Thread(target=_stop_without, args=(parent,), daemon=True).start()
    work(app)


def _stop_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    signal.raise_signal(signal.SIGTERM)


class _Command:
    """`bvo worker`, which stops when its standard input closes: it does when this process ends."""

    def __init__(self) -> None:
        command = (sys.executable, "-c", "from bvo.cli import main; main()", "worker", "--until-stdin-closes")
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
