"""What runs beside requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .checks import check_name

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True, kw_only=True)
class PeriodicTask:
    """Work that every worker process repeats. It must be safe to run in several workers at once: guard it in SQL.

    A task that ends what has expired gives `after_jump`: what runs instead for a few seconds where the server's wall
    clock was set forth or back. It counts anew from now on; it may run more than once, and in several workers.

    A task that calls what other plugins give names the kind of record in `calls`. It then runs in the worker processes
    of those plugins, too, and asks `bvo.isolation.serves` whose records it may call there: one that hangs is alone.
    """

    name: str
    every: timedelta
    run: Callable[[], None]
    after_jump: Callable[[], None] | None = None
    calls: type[Any] | None = None

    def __post_init__(self) -> None:
        check_name(self, self.name)
        if self.every < timedelta(seconds=0.1):
            raise ValueError(f"PeriodicTask {self.name!r}: `every` is {self.every}, at least 0.1 s is needed")


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """Part of `GET /healthz`. `check` returns where all is well and raises, with a message, where it is not."""

    name: str
    check: Callable[[], None]

    def __post_init__(self) -> None:
        check_name(self, self.name)


@dataclass(frozen=True, kw_only=True)
class Seed:
    """Rows that must exist, e.g. the standard roles. Runs after every migration, in the order of `requires`."""

    name: str
    run: Callable[[], None]

    def __post_init__(self) -> None:
        check_name(self, self.name)


@dataclass(frozen=True, kw_only=True)
class StartCheck:
    """What must hold before the server listens. `check` gets True where only this machine can reach the address, and
    raises `ValueError` with a message that says what to do."""

    name: str
    check: Callable[[bool], None]

    def __post_init__(self) -> None:
        check_name(self, self.name)


@dataclass(frozen=True, kw_only=True)
class AsgiMiddleware:
    """Stands ahead of Flask where `bvo serve` runs; any other WSGI server runs the app without it.

    `wrap` gets the Flask app and the ASGI app behind it, and returns an ASGI app that passes on to that one what it
    does not answer itself, `lifespan` included. No access is checked ahead of Flask: what answers there must do it.
    Threads, connections and what belongs to an event loop begin at the `lifespan` startup: `wrap` may be called before
    the web workers are forked.
    """

    name: str
    wrap: Callable[[Flask, Any], Any]

    def __post_init__(self) -> None:
        check_name(self, self.name)
