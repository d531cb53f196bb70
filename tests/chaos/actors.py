"""Threads that act until they are told to stop."""

from __future__ import annotations

import threading


class Actor(threading.Thread):
    """`act` is called again and again. What it raises ends the actor, and is raised by `end`."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.closing = threading.Event()
        self._error: Exception | None = None

    def act(self) -> None:
        raise NotImplementedError

    def run(self) -> None:
        try:
            while not self.closing.is_set():
                self.act()
        except Exception as error:
            self._error = error

    def stop(self) -> None:
        """Let it end after what it does now."""
        self.closing.set()

    def end(self) -> None:
        """Wait until it has stopped."""
        self.stop()
        if self.is_alive():
            self.join()
        if self._error:
            raise self._error
