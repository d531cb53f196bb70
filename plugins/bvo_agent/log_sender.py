"""The thread that sends a running job's output and progress to the server."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from bvo_agent.client import Client
from bvo_agent.errors import Refused, Unavailable
from bvo_agent.output import JobLog
from bvo_agent.progress import ProgressFile
from bvo_agent.protocol import Job
from bvo_agent.retry import retrying

logger = logging.getLogger(__name__)
CHUNK_BYTES = 64 * 1024
PAUSE_SECONDS = 0.3
# A line often comes in two pieces: its text and its end.
GATHER_SECONDS = 0.03
FLUSH_SECONDS = 10.0
PATIENCE_SECONDS = 24 * 3600.0


class LogSender:
    """A context manager: sends from its start, and at its end what is left, for at most 10 s."""

    def __init__(self, client: Client, job: Job, log: JobLog, progress: ProgressFile) -> None:
        self._client = client
        self._job = job
        self._log = log
        self._progress = progress
        self._sequence = 0
        self._closing = threading.Event()
        self._flush_until = float("inf")
        self._thread = threading.Thread(target=self._run, name="log-sender", daemon=True)

    def __enter__(self) -> LogSender:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._flush_until = time.monotonic() + FLUSH_SECONDS
        self._closing.set()
        self._log.arrived.set()
        self._thread.join(FLUSH_SECONDS)
        if self._thread.is_alive():
            logger.warning("job %s: the end of the log was not sent in time", self._job.id)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                if self._log.arrived.wait(PAUSE_SECONDS):
                    self._closing.wait(GATHER_SECONDS)
                    self._log.arrived.clear()
                self._send_next()
                self._closing.wait(PAUSE_SECONDS)
            while self._send_next():
                pass
        except Refused as error:
            reason = "this server keeps no live logs" if error.status == 404 else error.detail
            logger.info("job %s: sending no more output: %s", self._job.id, reason)
        except Unavailable as error:
            logger.debug("job %s: gave up sending output: %s", self._job.id, error)

    def _send_next(self) -> bool:
        """Sends one chunk, again and again under the same sequence. False when there is nothing to send."""
        text, progress = self._log.take(CHUNK_BYTES), self._progress.news()
        if not text and progress is None:
            return False
        self._sequence += 1
        body: dict[str, Any] = {"sequence": self._sequence, "text": text, "progress": progress}
        retrying(lambda: self._post(body), self._wait, PATIENCE_SECONDS, self._too_late)
        if not self._log.empty:
            self._log.arrived.set()
        return True

    def _post(self, body: dict[str, Any]) -> None:
        self._client.post(f"/api/runner/jobs/{self._job.id}/log", body, self._job.lease_headers)

    def _wait(self, seconds: float) -> None:
        """Waits for the next try; the end of the job cuts it short once."""
        if self._closing.is_set():
            time.sleep(min(seconds, 1.0))
        else:
            self._closing.wait(seconds)

    def _too_late(self) -> bool:
        return time.monotonic() > self._flush_until
