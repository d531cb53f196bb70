"""The threads of a worker that send: while one endpoint hangs, the others get theirs."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from flask import Flask, current_app

from . import deliveries
from .deliveries import Request
from .outcomes import Outcome

log = logging.getLogger(__name__)

MOST_THREADS = 32
KEY = "bvo_webhook_senders"


class Senders:
    """Of one process: a thread for each webhook that something is due to, and the threads that send for all of them.

    The former ends when nothing is under way or due any more, or with the process. Each of its turns is one
    transaction, for all requests that have ended since the last one and those that begin.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: set[int] = set()
        self._free = MOST_THREADS
        self._pool = ThreadPoolExecutor(MOST_THREADS, "webhook-sender")

    def start(self, app: Flask, webhook_id: int, at_once: int) -> None:
        """Let this webhook be served, where it is not; it takes up to `at_once` requests."""
        with self._lock:
            if webhook_id in self._served or not self._free:
                return
            self._served.add(webhook_id)
        threading.Thread(target=self._run, args=(app, webhook_id, at_once), name=f"webhook-{webhook_id}").start()

    def _run(self, app: Flask, webhook_id: int, at_once: int) -> None:
        try:
            self._serve(app, webhook_id, at_once)
        except Exception:
            log.exception("What is sent to the webhook %d failed", webhook_id)
        finally:
            with self._lock:
                self._served.discard(webhook_id)

    def _serve(self, app: Flask, webhook_id: int, at_once: int) -> None:
        running: dict[Future[Outcome], Request] = {}
        done: list[tuple[Request, Outcome]] = []
        while True:
            room = self._take(at_once)
            requests: list[Request] = []
            try:
                with app.app_context():
                    requests = deliveries.turn(webhook_id, done, room)
            finally:
                self._give(room - len(requests))
            running |= {self._pool.submit(self._send, request): request for request in requests}
            if not running:
                return
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            done = [(running.pop(future), future.result()) for future in ended]

    def _send(self, request: Request) -> Outcome:
        try:
            return deliveries.send(request)
        finally:
            self._give(1)

    def _take(self, wanted: int) -> int:
        """As many of the threads as are free; none where the process ends."""
        with self._lock:
            taken = min(wanted, self._free) if threading.main_thread().is_alive() else 0
            self._free -= taken
            return taken

    def _give(self, threads: int) -> None:
        with self._lock:
            self._free += threads


def send_due() -> None:
    """Serve the webhooks that something is due to."""
    senders: Senders = current_app.extensions.setdefault(KEY, Senders())
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    for webhook_id, concurrency in deliveries.waiting():
        senders.start(app, webhook_id, concurrency)
