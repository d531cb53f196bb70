"""What runs in a web worker process before it serves."""

from __future__ import annotations

import contextlib
import gc
import sys

from flask import Flask

from bvo import asgi
from bvo.asgi import AsgiApp

from .apps import ready_app

THREADS = 4
SWITCH_SECONDS = 0.0005
"""A thread that computes lets another one in so soon; five milliseconds is usual. A claim stands in line after each of
its statements, behind the pages that are made meanwhile, and a robot waits for it.
"""

_parents: AsgiApp | None = None


def share(app: Flask) -> None:
    """Let web workers that are forks of this process serve its app instead of building it again.

    The garbage collector is kept from what they share: to look at it would copy the memory.
    """
    global _parents
    _parents = asgi.application(app, THREADS)
    gc.freeze()


def load() -> AsgiApp:
    """What this web worker serves."""
    _raise_open_files()
    sys.setswitchinterval(SWITCH_SECONDS)
    return _parents or asgi.application(ready_app(), THREADS)


def _raise_open_files() -> None:
    """Each robot that waits for a job has a connection: take as many as this process may."""
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS allows fewer than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
