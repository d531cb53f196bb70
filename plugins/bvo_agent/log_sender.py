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
from bvo_agent.retry import retrying

logger = logging.getLogger(__name__)
PAUSE_SECONDS = 0.3
# A line often comes in two pieces: its text and its end.
GATHER_SECONDS = 0.03
FLUSH_SECONDS = 10.0
PATIENCE_SECONDS = 24 * 3600.0


class LogSender:
    """A context manager: sends from its start, and at its end what is left, for at most 10 s.

    What is not sent then stays in the journal, which nobody else may use before.
    """

    def __init__(self, client: Client, log: JobLog, progress: ProgressFile) -> None:
        self._client = client
        self._journal = log.journal
        self._arrived = log.arrived
        self._progress = progress
        self._closing = threading.Event()
        self._flush_until = float("inf")
        self._thread = threading.Thread(target=self._run, name="log-sender", daemon=True)

    def __enter__(self) -> LogSender:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._flush_until = time.monotonic() + FLUSH_SECONDS
        self._closing.set()
        self._arrived.set()
        self._thread.join(FLUSH_SECONDS + 1)
        if self._thread.is_alive():
            logger.warning("job %s: the end of the log is not sent yet", self._journal.job_id)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                if self._arrived.wait(PAUSE_SECONDS):
                    self._closing.wait(GATHER_SECONDS)
                    self._arrived.clear()
                self._send_next()
                self._closing.wait(PAUSE_SECONDS)
            while not self._too_late() and self._send_next():
                pass
            self._journal.settle()
        except Refused as error:
            reason = "this server keeps no live logs" if error.status == 404 else error.detail
            logger.info("job %s: sending no more output: %s", self._journal.job_id, reason)
        except Unavailable as error:
            logger.warning("job %s: the end of the log is not sent yet: %s", self._journal.job_id, error)
        except OSError as error:
            logger.debug("job %s: the last piece of output will be sent twice: %s", self._journal.job_id, error)

    def _send_next(self) -> bool:
        """Sends one piece, again and again under the same number. False when there is nothing to send."""
        progress = self._progress.news()
        sent = retrying(lambda: self._send(progress), self._wait, PATIENCE_SECONDS, self._too_late)
        if self._journal.waiting:
            self._arrived.set()
        return sent

    def _send(self, progress: dict[str, Any] | None) -> bool:
        try:
            return self._journal.send(self._client, progress)
        except OSError as error:
            raise Unavailable(f"the disk does not take the journal: {error}") from error

    def _wait(self, seconds: float) -> None:
        """Waits for the next try; the end of the job cuts it short once."""
        if self._closing.is_set():
            time.sleep(min(seconds, 1.0))
        else:
            self._closing.wait(seconds)

    def _too_late(self) -> bool:
        return time.monotonic() > self._flush_until
