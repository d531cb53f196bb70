"""Isolation: each plugin that is not built in is served by a worker process of its own, which ends where it hangs.

Python can't end a thread, and a plugin may do anything to the process that it runs in. So what hangs, ends its process,
leaks or crashes does it there, alone. The process begins anew, and what the plugin had not done comes again.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from flask import current_app
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from bvo_hookspecs import AuditSink, PeriodicTask, WebhookEmitter

from . import registry
from .database import db
from .observers import Observers
from .plugins import CORE

log = logging.getLogger(__name__)

CALL_SECONDS = 25.0
"""A batch of events may take so long: less than a consumer's lease, so that nobody else has it by then."""
TASK_SECONDS = 600.0
LOCK_SECONDS = 2.0
"""So long others may wait for what the plugin has locked in the database. Requests wait for ten seconds."""
LOCKS = Path("/proc/locks")
WRITE_LOCK_BYTE = "120"
"""Of the file beside SQLite's whose name ends in -shm (https://sqlite.org/walformat.html)."""
WAITING_FOR = text(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted"
    " AND waitstart < clock_timestamp() - make_interval(secs => :seconds) AND pg_blocking_pids(pid)"
    " && ARRAY(SELECT pid FROM pg_stat_activity WHERE application_name = :name))"
)
SERVED = "bvo_served"
"""Where an app has the names of the plugins that its worker serves; None: all."""
LOOK_SECONDS = 0.5
FROZEN_SECONDS = 10.0
"""So long the plugin may let no other thread run, e.g. in a search by a regular expression that never ends."""


def divided() -> tuple[set[str], list[str]]:
    """The names of plugins that share a worker process, with the core's; and those that have one each."""
    known = registry.current()
    called = {task.calls for task in known.of(PeriodicTask).values() if task.calls}
    owners = [plugin for kind in (AuditSink, WebhookEmitter, PeriodicTask, *called) for plugin, _ in known.every(kind)]
    shared = {plugin.name for plugin in owners if plugin.builtin}
    return shared | {CORE.name}, sorted({plugin.name for plugin in owners} - shared)


def serves(plugin: str) -> bool:
    """Whether it is for this process to call what the plugin gives; True where it serves all of them."""
    served: Collection[str] | None = current_app.extensions.get(SERVED)
    return served is None or plugin in served


class Watchdog(threading.Thread):
    """Ends this process, with the stacks of its threads on stderr, where the plugin that it serves hangs."""

    def __init__(self, plugin: str, observers: Observers) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._plugin, self._observers = plugin, observers
        self._locks = _locks(db.engine)

    def start(self) -> None:
        """From here on it is known, whatever happens before the thread has its first turn."""
        _end_unless_put_off()
        super().start()

    def run(self) -> None:
        while not (reason := self._reason()):
            _end_unless_put_off()
            time.sleep(LOOK_SECONDS)
        log.error("The worker process of the plugin %r ends, and begins anew: %s", self._plugin, reason)
        faulthandler.dump_traceback()
        os._exit(1)

    def _reason(self) -> str:
        """Why the process should end; empty where all is well."""
        now, tasks = time.monotonic(), threading.main_thread().ident
        for thread, (name, since) in list(self._observers.running.items()):
            if now - since > (TASK_SECONDS if thread == tasks else CALL_SECONDS):
                return f"{name} has not come back for {now - since:.0f} s"
        if self._locks.keep_waiting():
            return f"others have waited for what it has locked in the database for {LOCK_SECONDS:.0f} s"
        return ""


def _end_unless_put_off() -> None:
    """The timer runs outside of Python: it ends the process also where no thread gets a turn."""
    faulthandler.dump_traceback_later(FROZEN_SECONDS, exit=True)


class _Locks(Protocol):
    """What the plugin has locked in the database."""

    def keep_waiting(self) -> bool:
        """Whether somebody else has waited for it for LOCK_SECONDS."""


def _locks(engine: Engine) -> _Locks:
    return _SqliteLock(engine) if engine.dialect.name == "sqlite" else _PostgresLocks(engine)


class _SqliteLock:
    """The one lock that who writes has, as long as this process has it: Linux tells whose locks there are."""

    def __init__(self, engine: Engine) -> None:
        self._file = Path(f"{engine.url.database}-shm")
        self._since: float | None = None

    def keep_waiting(self) -> bool:
        if not self._is_held():
            self._since = None
            return False
        self._since = self._since or time.monotonic()
        return time.monotonic() - self._since > LOCK_SECONDS

    def _is_held(self) -> bool:
        try:
            mine = (str(os.getpid()), f":{self._file.stat().st_ino}", WRITE_LOCK_BYTE)
            locks = [line.split() for line in LOCKS.read_text().splitlines()]
        except OSError:
            return False
        return any((lock[-4], lock[-3][lock[-3].rindex(":") :], lock[-2]) == mine for lock in locks)


class _PostgresLocks:
    """Those of all connections of this process, which bear its name from now on."""

    def __init__(self, engine: Engine) -> None:
        self._own = create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None
        self._name = f"bvo plugin {os.getpid()}"
        event.listen(engine, "connect", self._give_name)
        engine.dispose()

    def keep_waiting(self) -> bool:
        try:
            self._connection = self._connection or self._own.connect()
            found = self._connection.execute(WAITING_FOR, {"name": self._name, "seconds": LOCK_SECONDS})
            return bool(found.scalar())
        except DBAPIError:  # the database is away, and with it all locks
            self._connection = None
            return False

    def _give_name(self, connection: Any, record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('application_name', %s, false)", (self._name,))
        connection.commit()
