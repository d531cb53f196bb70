"""`bvo serve`: the web server and a background worker on one machine."""

from __future__ import annotations

import os
import socket
import sys

import click

from bvo import registry
from bvo.access import is_loopback
from bvo.database import db
from bvo.errors import StartupError
from bvo_hookspecs import StartCheck

from . import web_worker
from .apps import ready_app, require_migrated
from .background import STOP_SECONDS, BackgroundWorkers
from .worker import work

CONNECTIONS = 16_384
"""So many robots may wait for a job in each web worker, each on a connection of its own."""
ALLOCATOR = ("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
"""Granian's allocator gives memory back at once: a tenth of what thousands of waiting robots take. It reads this when
Granian is imported.
"""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=0, help="Web worker processes. Default: 1 on SQLite, 2 on PostgreSQL.")
def serve(host: str, port: int, workers: int) -> None:
    """Run web UI, API and a background worker.

    In development mode, the default, the database is migrated by itself. With BVO_ENV=production, run `bvo db upgrade`
    first. An address that others can reach needs an administrator of your own: `bvo users create-admin`.
    """
    os.environ.setdefault(*ALLOCATOR)
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces

    app = ready_app()
    with app.app_context():
        require_migrated()
        _check_start(host)
        sqlite = db.engine.dialect.name == "sqlite"
    _check_port(host, port)
    web_worker.share(app)
    server = Granian(
        target="bvo.cli.web_worker:load",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,  # to be ready for HTTP/2, which needs TLS, takes as much memory again for each robot
        workers=workers or (1 if sqlite else 2),
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,  # else one that does not end keeps the server from stopping
        log_enabled=False,
    )
    click.echo(f"BV Orchestrator listens on http://{host}:{port}", err=True)
    with BackgroundWorkers(app, work):
        server.serve()


def _check_start(host: str) -> None:
    for check in registry.current().of(StartCheck).values():
        try:
            check.check(host == "localhost" or is_loopback(host))
        except ValueError as error:
            raise StartupError(str(error)) from None


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartupError(
                f"Can't listen on {host}:{port}: {error.strerror}. Choose another --port, or stop what uses it."
            ) from None
