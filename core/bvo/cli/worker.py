"""`bvo worker`: the background part alone."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import click
from flask import Flask

from bvo import isolation, registry
from bvo.database import db
from bvo.errors import StartupError
from bvo.isolation import Watchdog
from bvo.plugins import CORE
from bvo.wakeups import Wakeups
from bvo.worker import Worker

from .apps import ready_app, require_migrated
from .background import STOP_SECONDS, BackgroundWorkers


@click.command()
@click.option("--plugin", default="", help="Serve this plugin alone, as a worker of its own.")
@click.option("--until-stdin-closes", is_flag=True, help="Stop when standard input closes: `bvo serve` starts it so.")
def worker(plugin: str, until_stdin_closes: bool) -> None:
    """Deliver events and run periodic tasks until Ctrl-C.

    Any number of workers may run against one database; `bvo serve` brings one of its own. What is not built in is
    served by a process for each plugin, which is ended and begun anew where the plugin hangs.
    """
    if until_stdin_closes:
        _leave_ctrl_c_to_others()
        threading.Thread(target=_stop_after, args=(sys.stdin.read,), daemon=True).start()
    app = ready_app()
    with app.app_context():
        require_migrated()
        if plugin and plugin not in registry.current().plugins.names():
            raise StartupError(f"No plugin {plugin!r} is loaded here. `bvo plugins list` shows which there are.")
    work(app, plugin)


def work(app: Flask, plugin: str = "", until: Callable[[], object] | None = None) -> None:
    """What a worker process does until SIGINT or SIGTERM, or until that function returns.

    It serves this plugin; left out: all that are built in, and the others by processes of their own.
    """
    if until:
        _leave_ctrl_c_to_others()
    if plugin:
        running = Worker(app, {CORE.name, plugin})
        with app.app_context():
            Watchdog(plugin, running.observers).start()
        _run(app, running, until)
        return
    with app.app_context():
        shared, others = isolation.divided()
    with BackgroundWorkers(app, work, others):
        _run(app, Worker(app, shared), until)


def _run(app: Flask, running: Worker, until: Callable[[], object] | None) -> None:
    with app.app_context():
        Wakeups(app, db.engine)
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, lambda *_: running.stop())
    if until:
        threading.Thread(target=_stop_after, args=(until,), daemon=True).start()
    running.run()


def _leave_ctrl_c_to_others() -> None:
    """It reaches all processes of a terminal; whoever began this one ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _stop_after(wait: Callable[[], object]) -> None:
    """As SIGTERM does: at once where the worker has not begun, else after its step; and without it where that hangs."""
    wait()
    signal.raise_signal(signal.SIGTERM)
    time.sleep(2 * STOP_SECONDS)
    os._exit(1)
