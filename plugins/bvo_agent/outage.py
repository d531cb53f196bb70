"""Says once that the server is away and once that it is back, however many threads notice it."""

from __future__ import annotations

import logging
import threading
import time

logger = logging.getLogger(__name__)


class Outage:
    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._since: float | None = None

    def began(self, what: str) -> None:
        with self._lock:
            if self._since is None:
                self._since = time.monotonic()
                logger.warning("server %s %s, retrying", self._url, what)

    def ended(self) -> None:
        with self._lock:
            if self._since is not None:
                logger.info("server %s is back after %.0f s", self._url, time.monotonic() - self._since)
                self._since = None
