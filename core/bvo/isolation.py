"""Isolation: each plugin that is not built in is served by a worker process of its own, which ends where it hangs.

Python can't end a thread, and a plugin may do anything to the process that it runs in. So what hangs, ends its process,
leaks or crashes does it there, alone. The process begins anew, and what the plugin had not done comes again.
"""

from __future__ import annotations

import faulthandler
import logging
import sqlite3
import threading
import time
from typing import Any

from sqlalchemy import Engine, event

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
"""So long the plugin may keep others from writing to SQLite. Requests wait for five seconds."""
IDLE_IN_TRANSACTION = "30s"
"""So long a transaction may stand still on PostgreSQL, with the locks that it has."""
LOOK_SECONDS = 0.25
PATIENCE_SECONDS = 1.5


def divided() -> tuple[set[str], list[str]]:
    """The names of plugins that share a worker process, with the core's; and those that have one each."""
    owners = [
        plugin for kind in (AuditSink, WebhookEmitter, PeriodicTask) for plugin, _ in registry.current().every(kind)
    ]
    shared = {plugin.name for plugin in owners if plugin.builtin}
    return shared | {CORE.name}, sorted({plugin.name for plugin in owners} - shared)


class Watchdog(threading.Thread):
    """Ends this process, with the stacks of its threads on stderr, where the plugin that it serves hangs.

    A timer outside of Python ends it, which is put off as long as all is well: so also one ends that lets no other
    thread run.
    """

    def __init__(self, plugin: str, observers: Observers) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._plugin, self._observers = plugin, observers
        self._lock = _WriteLock(db.engine)
        _limit_transactions(db.engine)

    def run(self) -> None:
        told = ""
        while True:
            reason = self._reason()
            if not reason:
                faulthandler.dump_traceback_later(PATIENCE_SECONDS, exit=True)
            elif reason != told:
                log.error("The worker process of the plugin %r ends, and begins anew: %s", self._plugin, reason)
            told = reason
            time.sleep(LOOK_SECONDS)

    def _reason(self) -> str:
        """Why the process should end; empty where all is well."""
        now, tasks = time.monotonic(), threading.main_thread().ident
        for thread, (name, since) in list(self._observers.running.items()):
            if now - since > (TASK_SECONDS if thread == tasks else CALL_SECONDS):
                return f"{name} has not come back for {now - since:.0f} s"
        if self._lock.taken_for() > LOCK_SECONDS:
            return f"nobody could write to the database for {LOCK_SECONDS:.0f} s"
        return ""


class _WriteLock:
    """The write lock of SQLite, which one transaction has at a time. Who has it can't be asked."""

    def __init__(self, engine: Engine) -> None:
        self._path = engine.url.database if engine.dialect.name == "sqlite" else None
        self._connection: sqlite3.Connection | None = None
        self._taken_since: float | None = None

    def taken_for(self) -> float:
        """Seconds since it could be had last; 0 where it is free."""
        if self._path is None or self._is_free():
            self._taken_since = None
            return 0
        self._taken_since = self._taken_since or time.monotonic()
        return time.monotonic() - self._taken_since

    def _is_free(self) -> bool:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._path or "", timeout=LOOK_SECONDS, isolation_level=None)
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            return error.sqlite_errorcode != sqlite3.SQLITE_BUSY
        return True


def _limit_transactions(engine: Engine) -> None:
    """On PostgreSQL, end what stands still in a transaction of the plugin's."""
    if engine.dialect.name != "postgresql":
        return

    @event.listens_for(engine, "connect")
    def limit(connection: Any, record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION}'")
        connection.commit()

    engine.dispose()
