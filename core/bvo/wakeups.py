"""Hints that there may be something to do: to whoever waits in this process at once, and to the other servers.

A hint is a word, such as `open`; it is told after the commit that it speaks of. On PostgreSQL the others hear it by
NOTIFY, on a connection of its own: many hints are one, and no commit waits for it. Hints get lost where a connection
breaks, so whoever waits also looks by itself from time to time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Engine

from .statements import Connection

log = logging.getLogger(__name__)

CHANNEL = "bvo_wakeups"
KEY = "bvo_wakeups"
AGAIN_SECONDS = 1.0
"""After a connection broke, the next one is tried so much later."""
LISTEN_SECONDS = 0.25
"""A process that is to stop notices it so much later at most."""
LONGEST = 200
"""Of more hints at once, the others are told to look for themselves."""
LOOK = "look"


class Wakeups:
    """The hints of one process that serves. `heard` is called with each of them, in any thread."""

    def __init__(self, app: Flask, engine: Engine, heard: Callable[[str], None] | None = None) -> None:
        self._heard = heard
        self._hints: set[str] = set()
        self._some = threading.Event()
        self._ended = False
        self._threads: list[threading.Thread] = []
        self._engine = engine
        app.extensions[KEY] = self
        if self._engine.dialect.name != "postgresql":
            return
        for work in (self._send, self._receive) if heard else (self._send,):
            thread = threading.Thread(target=self._repeat, args=(work,), name="wakeups", daemon=True)
            thread.start()
            self._threads.append(thread)

    def tell(self, hint: str) -> None:
        if self._heard:
            self._heard(hint)
        self._hints.add(hint)
        self._some.set()

    def stop(self) -> None:
        """End the threads; may take a moment."""
        self._ended = True
        self._some.set()
        for thread in self._threads:
            thread.join(AGAIN_SECONDS)

    def _repeat(self, work: Callable[[Any], None]) -> None:
        while not self._ended:
            try:
                connection = Connection(self._engine)
                with contextlib.closing(connection):
                    connection.rollback()
                    connection.driver.autocommit = True
                    work(connection.driver)
            except Exception as error:
                log.debug("The connection for hints broke: %r", error)
                threading.Event().wait(AGAIN_SECONDS)

    def _send(self, driver: Any) -> None:
        while not self._ended:
            self._some.wait()
            self._some.clear()
            hints, self._hints = self._hints, set()
            told = hints if len(hints) <= LONGEST else {LOOK}
            if told:
                driver.execute("SELECT pg_notify(%s, %s)", (CHANNEL, " ".join((str(os.getpid()), *sorted(told)))))

    def _receive(self, driver: Any) -> None:
        driver.execute(f"LISTEN {CHANNEL}")
        while not self._ended:
            for notice in driver.notifies(timeout=LISTEN_SECONDS):
                sender, *hints = notice.payload.split()
                for hint in hints if sender != str(os.getpid()) else ():
                    if self._heard:
                        self._heard(hint)


def tell(hint: str) -> None:
    """Give the hint, where this process serves. After the commit only."""
    found: Wakeups | None = current_app.extensions.get(KEY)
    if found:
        found.tell(hint)
