"""Calls that whoever waits for them can leave: a thread of its own makes them, and reads what is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Generic, TypeVar

from bvo_agent.shutdown import SLICE

T = TypeVar("T")


class Aside(Generic[T]):
    """One thread for one call after the other. It ends with the process, whatever it waits for.

    A signal does not end a read from a socket: Python reads on after its handler, and on Windows the handler itself
    waits. So the main thread waits here, in slices.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[[], T], Future[T]]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def call(self, work: Callable[[], T], give_up: Callable[[], bool]) -> T | None:
        """What `work` returns or raises; None where it was left, because of `give_up`. Nothing is called after that."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="aside", daemon=True)
            self._thread.start()
        future: Future[T] = Future()
        self._calls.put((work, future))
        while not wait((future,), SLICE).done:
            if give_up():
                return None
        return future.result()

    def _run(self) -> None:
        while True:
            work, future = self._calls.get()
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
