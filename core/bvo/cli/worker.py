"""`bvo worker`: the background part alone."""

from __future__ import annotations

import signal
import sys
import threading

import click

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
    app = ready_app()
    with app.app_context():
        require_migrated()
        engine = db.engine
    Wakeups(app, engine)
    running = Worker(app)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: running.stop())
    if until_stdin_closes:
        threading.Thread(target=_stop_with_stdin, args=(running,), daemon=True).start()
    running.run()


def _stop_with_stdin(running: Worker) -> None:
    sys.stdin.read()
    running.stop()
