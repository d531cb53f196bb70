"""Calls to parts that only watch: emitters, external sinks, cards, panels. They may fail; what they watch may not.

What is called for each request or event has a breaker: after five failures in a row it is left alone for a minute, so
that a broken plugin costs nothing. A call over its time budget counts as a failure, though Python can't stop it: what
may hang belongs in the worker, where nobody waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bvo_hookspecs import PluginInfo

from .database import utcnow

log = logging.getLogger(__name__)

FAILURES = 5
PAUSE_SECONDS = 60.0
BUDGET_SECONDS = 5.0


class ObserverFailed(Exception):
    """An observer raised."""


class ObserverPaused(ObserverFailed):
    """It was not called: its breaker is open."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What an observer failed with last, and when."""

    name: str
    at: datetime
    reason: str


@dataclass
class _Breaker:
    failures: int = 0
    open_until: float = 0.0

    def failed(self) -> None:
        self.failures += 1
        if self.failures >= FAILURES:
            self.failures, self.open_until = 0, time.monotonic() + PAUSE_SECONDS


class Observers:
    """The breakers of one app. `call` raises ObserverFailed and nothing else."""

    def __init__(self) -> None:
        self._breakers: dict[tuple[str, str], _Breaker] = {}
        self.last: dict[str, Failure] = {}
        """By plugin, since this process began."""
        self.running: dict[int, tuple[str, float]] = {}
        """What is under way, by thread, and since when, on the monotonic clock."""

    def call(self, plugin: PluginInfo, name: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call `function` on behalf of `plugin`; `name` is the record's. Returns what it returns."""
        breaker = self._breakers.setdefault((plugin.name, name), _Breaker())
        started = time.monotonic()
        if self.is_paused(plugin, name):
            raise ObserverPaused(f"{name} of the plugin {plugin.name} failed {FAILURES} times and is paused")
        try:
            answer = self.attempt(plugin, name, function, *args)
        except ObserverFailed:
            breaker.failed()
            raise
        if time.monotonic() - started > BUDGET_SECONDS:
            breaker.failed()
        else:
            breaker.failures = 0
        return answer

    def is_paused(self, plugin: PluginInfo, name: str) -> bool:
        """Whether `call` would leave it alone now."""
        breaker = self._breakers.get((plugin.name, name))
        return breaker is not None and time.monotonic() < breaker.open_until

    @contextmanager
    def under_way(self, name: str) -> Iterator[None]:
        """Let it be known in `running`."""
        self.running[threading.get_ident()] = (name, time.monotonic())
        try:
            yield
        finally:
            self.running.pop(threading.get_ident(), None)

    def attempt(self, plugin: PluginInfo, name: str, function: Callable[..., Any], *args: Any) -> Any:
        """As `call`, and never left alone: for what is called in its own time, which others may depend on."""
        started = time.monotonic()
        try:
            with self.under_way(name):
                answer = function(*args)
        except BaseException as error:  # a plugin may even raise SystemExit: what watches ends nothing
            reason = f"{type(error).__name__}: {error}"
            self.last[plugin.name] = Failure(name=name, at=utcnow(), reason=reason)
            log.exception("%r of the plugin %r failed", name, plugin.name)
            raise ObserverFailed(f"{name} of the plugin {plugin.name}: {reason}") from error
        if (seconds := time.monotonic() - started) > BUDGET_SECONDS:
            log.warning("%r of the plugin %r took %.1f s", name, plugin.name, seconds)
        return answer
