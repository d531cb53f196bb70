"""What runs in a web worker process before it serves."""

from __future__ import annotations

import os
import signal
import sys
import threading

from flask import Flask

from .apps import ready_app

_parents_app: Flask | None = None


def share(app: Flask) -> None:
    """Let web workers that are forks of this process use its app instead of building it again."""
    global _parents_app
    _parents_app = app


def load() -> Flask:
    """The app of this web worker."""
    _wake_main_thread_for_signals()
    return _parents_app or ready_app()


def _wake_main_thread_for_signals() -> None:
    """Hand a signal on to the main thread: it waits in a lock, which only a signal of its own interrupts.

    The kernel may give a signal to any thread, and the server's own threads are not Python's. Without this, about one
    stop in ten would wait until the worker is killed.
    """
    if sys.platform == "win32":
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    main = threading.main_thread().ident or 0

    def hand_on() -> None:
        number = os.read(reader, 1)[0]
        signal.pthread_kill(main, number)

    threading.Thread(target=hand_on, name="signals", daemon=True).start()
