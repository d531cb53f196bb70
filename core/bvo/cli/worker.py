"""`bvo worker`: the background part alone."""

from __future__ import annotations

import gc
import signal
import sys
import threading

import click
from flask import Flask

from bvo.database import db
from bvo.wakeups import Wakeups
from bvo.worker import Worker

from .apps import ready_app, require_migrated


@click.command()
@click.option("--until-stdin-closes", is_flag=True, help="Stop when standard input closes: `bvo serve` starts it so.")
def worker(until_stdin_closes: bool) -> None:
    """Deliver events and run periodic tasks until Ctrl-C.

    Any number of workers may run against one database; `bvo serve` brings one of its own.
    """
    if until_stdin_closes:
        threading.Thread(target=_stop_with_stdin, daemon=True).start()
    app = ready_app()
    with app.app_context():
        require_migrated()
    gc.freeze()  # as web_worker does
    work(app)


def work(app: Flask) -> None:
    """What a background worker process does, until SIGINT or SIGTERM."""
    with app.app_context():
        Wakeups(app, db.engine)
    running = Worker(app)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: running.stop())
    running.run()


def _stop_with_stdin() -> None:
    """As SIGTERM does: at once where the worker has not begun, else after its step."""
    sys.stdin.read()
    signal.raise_signal(signal.SIGTERM)
