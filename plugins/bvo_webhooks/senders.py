"""The threads of a worker that send: while one endpoint hangs, the others get theirs."""

from __future__ import annotations

import logging
import threading

from flask import Flask, current_app

from . import deliveries

log = logging.getLogger(__name__)

MOST_THREADS = 32
KEY = "bvo_webhook_senders"


class Senders:
    """The threads of one process, by webhook. They end when nothing is due any more, or with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, int] = {}

    def start(self, app: Flask, webhook_id: int, wanted: int) -> None:
        """Let `wanted` threads send to this webhook, as far as there are any left."""
        for _ in range(wanted):
            with self._lock:
                running = self._running.get(webhook_id, 0)
                if running >= wanted or sum(self._running.values()) >= MOST_THREADS:
                    return
                self._running[webhook_id] = running + 1
            threading.Thread(target=self._run, args=(app, webhook_id), name=f"webhook-{webhook_id}").start()

    def _run(self, app: Flask, webhook_id: int) -> None:
        try:
            while threading.main_thread().is_alive() and deliveries.send_next(app, webhook_id):
                pass
        except Exception:
            log.exception("A sender of the webhook %d failed", webhook_id)
        finally:
            with self._lock:
                self._running[webhook_id] -= 1


def send_due() -> None:
    """Start threads for what is due."""
    senders: Senders = current_app.extensions.setdefault(KEY, Senders())
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    for webhook_id, concurrency in deliveries.waiting():
        senders.start(app, webhook_id, concurrency)
