"""The background worker: delivers the outbox and runs periodic tasks. Any number may run; there is no leader."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask

from bvo_hookspecs import PeriodicTask, PluginInfo

from . import idempotency_keys, logs, outbox, registry, session_store, throttle
from .observers import ObserverFailed, Observers

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
CORE = PluginInfo(name="core", summary="The kernel")
CORE_TASKS = (
    PeriodicTask(name="prune_outbox", every=timedelta(hours=1), run=outbox.prune),
    PeriodicTask(name="prune_sessions", every=timedelta(hours=1), run=session_store.prune),
    PeriodicTask(name="prune_attempt_counts", every=timedelta(hours=1), run=throttle.prune),
    PeriodicTask(name="prune_idempotency_keys", every=timedelta(hours=1), run=idempotency_keys.prune),
    PeriodicTask(name="follow_log_level", every=timedelta(seconds=logs.REFRESH_SECONDS), run=logs.refresh),
)


@dataclass
class _Scheduled:
    plugin: PluginInfo
    task: PeriodicTask
    due: float


class Worker:
    """One worker of one app. `run` returns after `stop` was called, from a signal handler or another thread."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._stopped = False
        self._observers = Observers()
        now = time.monotonic()
        with app.app_context():
            contributed = registry.current().every(PeriodicTask)
        tasks = [(CORE, task) for task in CORE_TASKS] + [(plugin.info, task) for plugin, task in contributed]
        self._scheduled = [_Scheduled(plugin, task, now) for plugin, task in tasks]

    def stop(self) -> None:
        """End after the step that is running. A plain attribute: a lock could be held where the signal arrives."""
        self._stopped = True

    def run(self) -> None:
        """Work until stopped. An error of one step is logged; the worker goes on."""
        while not self._stopped:
            if not self.step():
                time.sleep(IDLE_SECONDS)

    def step(self) -> int:
        """Run what is due and deliver one batch; returns the number of events that were taken."""
        try:
            self._run_due()
            with self._app.app_context():
                return outbox.dispatch(self._observers)
        except Exception:
            log.exception("The worker failed at a step and goes on")
            return 0

    def _run_due(self) -> None:
        for scheduled in self._scheduled:
            if time.monotonic() < scheduled.due:
                continue
            scheduled.due = time.monotonic() + scheduled.task.every.total_seconds()
            try:
                with self._app.app_context():  # a session of its own: what one task leaves broken harms no other
                    self._observers.call(scheduled.plugin, scheduled.task.name, scheduled.task.run)
            except ObserverFailed:
                continue  # logged there; it is due again in its own time
