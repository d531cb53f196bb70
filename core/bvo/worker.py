"""The background worker: delivers events and runs periodic tasks. Any number may run; there is no leader."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

from flask import Flask

from bvo_hookspecs import PeriodicTask, PluginInfo

from . import clock, consumers, delivery, idempotency_keys, isolation, logs, registry, session_store, throttle
from .consumers import Consumer
from .event_log import Horizon
from .observers import ObserverFailed, Observers
from .plugins import CORE

log = logging.getLogger(__name__)
T = TypeVar("T")

IDLE_SECONDS = 0.5
STOP_SECONDS = 5.0
"""So long the batches that are under way may take when the worker is to stop."""
CALM_SECONDS = 5.0
"""After a jump of the wall clock: until then what was under way has ended, and with it what still had the old time."""
CORE_TASKS = (
    PeriodicTask(
        name="enroll_consumers", every=timedelta(minutes=1), run=consumers.enroll, after_jump=delivery.count_anew
    ),
    PeriodicTask(name="prune_sessions", every=timedelta(hours=1), run=session_store.prune),
    PeriodicTask(name="prune_attempt_counts", every=timedelta(hours=1), run=throttle.prune),
    PeriodicTask(name="prune_idempotency_keys", every=timedelta(hours=1), run=idempotency_keys.prune),
    PeriodicTask(name="follow_log_level", every=timedelta(seconds=logs.REFRESH_SECONDS), run=logs.refresh),
)


@dataclass
class _Scheduled:
    """`recounts`: when to run `after_jump`, on the monotonic clock. The task itself waits until none is left."""

    plugin: PluginInfo
    task: PeriodicTask
    due: float
    recounts: list[float] = field(default_factory=list)


class Worker:
    """One worker of one app. `run` returns after `stop` was called, from a signal handler or another thread.

    `plugins` are those whose tasks, emitters and sinks it serves, by name; left out: all.
    """

    def __init__(self, app: Flask, plugins: Collection[str] | None = None) -> None:
        self._app = app
        app.extensions[isolation.SERVED] = plugins
        self._stopped = False
        self.observers, self._horizon = Observers(), Horizon()
        now = time.monotonic()
        with app.app_context():
            contributed, everyone = registry.current().every(PeriodicTask), consumers.present()
            tasks = [(CORE.info, task) for task in CORE_TASKS] + [(plugin.info, task) for plugin, task in contributed]
            mine = [(plugin, task) for plugin, task in tasks if plugins is None or _owners(plugin, task) & set(plugins)]
        self._scheduled = [_Scheduled(plugin, task, now) for plugin, task in mine]
        self._consumers = [consumer for consumer in everyone if plugins is None or consumer.plugin.name in plugins]

    def stop(self) -> None:
        """End after the step that is running. A plain attribute: a lock could be held where the signal arrives."""
        self._stopped = True

    def run(self) -> None:
        """Work until stopped: tasks in this thread, and each emitter and sink in one of its own, as one may hang."""
        threads = [
            threading.Thread(target=self._follow, args=(consumer,), name=consumer.name, daemon=True)
            for consumer in self._consumers
        ]
        for thread in threads:
            thread.start()
        while not self._stopped:
            self._try(self._run_due)
            time.sleep(IDLE_SECONDS)
        until = time.monotonic() + STOP_SECONDS
        for thread in threads:
            thread.join(max(0, until - time.monotonic()))

    def step(self) -> int:
        """Run what is due and deliver one batch to each, in this thread; returns how many events are done with."""
        self._try(self._run_due)
        return sum(self._try(partial(self._serve, consumer)) or 0 for consumer in self._consumers)

    def _follow(self, consumer: Consumer) -> None:
        while not self._stopped:
            if (self._try(partial(self._serve, consumer)) or 0) < delivery.BATCH:  # what comes meanwhile is one batch
                time.sleep(IDLE_SECONDS)

    def _serve(self, consumer: Consumer) -> int:
        with self._app.app_context():
            return delivery.serve(consumer, self.observers, self._horizon)

    def _try(self, work: Callable[[], T]) -> T | None:
        """What it returns; None where it raises, which is logged: the worker goes on."""
        try:
            return work()
        except Exception:
            log.exception("The worker failed at a step and goes on")
            return None

    def _run_due(self) -> None:
        if clock.guard.look():
            self._plan_recounts()
        for scheduled in self._scheduled:
            if scheduled.recounts:
                self._recount(scheduled)
            elif time.monotonic() >= scheduled.due:
                scheduled.due = time.monotonic() + scheduled.task.every.total_seconds()
                self._succeeds(scheduled, scheduled.task.run)  # else it is due again in its own time

    def _plan_recounts(self) -> None:
        """At once, so that nothing expires; and once more for requests that had the time of before the jump."""
        log.warning("The wall clock has jumped: leases, waits and the like count anew")
        for scheduled in self._scheduled:
            if scheduled.task.after_jump:
                scheduled.recounts = [time.monotonic(), time.monotonic() + CALM_SECONDS]

    def _recount(self, scheduled: _Scheduled) -> None:
        recount = scheduled.task.after_jump
        if recount and time.monotonic() >= scheduled.recounts[0] and self._succeeds(scheduled, recount):
            scheduled.recounts.pop(0)

    def _succeeds(self, scheduled: _Scheduled, run: Callable[[], None]) -> bool:
        """Run it; False where it failed, which is logged."""
        try:
            with self._app.app_context():  # a session of its own: what one task leaves broken harms no other
                self.observers.attempt(scheduled.plugin, scheduled.task.name, run)
        except ObserverFailed:
            return False
        return True


def _owners(plugin: PluginInfo, task: PeriodicTask) -> set[str]:
    """The names of the plugins in whose worker processes the task runs: its own, and those whose records it calls."""
    called = registry.current().every(task.calls) if task.calls else []
    return {plugin.name, *(owner.name for owner, _ in called)}
