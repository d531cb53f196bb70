"""Logs and results on their way to the server: on the disk before the first try, gone after the server's word."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bvo_agent import journal
from bvo_agent.client import Client
from bvo_agent.errors import Refused, Unavailable
from bvo_agent.files import read_json, write_private_json
from bvo_agent.journal import Journal
from bvo_agent.protocol import Job, Message
from bvo_agent.retry import retrying
from bvo_agent.shutdown import Shutdown

T = TypeVar("T")
Post = Callable[[str, dict[str, Any], dict[str, str]], object]
logger = logging.getLogger(__name__)
PATIENCE_SECONDS = 600.0
UNAUTHORIZED = 401


@dataclass(frozen=True)
class Outbox:
    """A job's log goes before its result. A log without a result is that of a job which this robot has given up."""

    client: Client
    folder: Path
    journals: Path
    shutdown: Shutdown
    renew_token: Callable[[Refused], None]

    def put(self, job: Job, message: Message) -> dict[str, Any]:
        """Writes a result down, and returns it, also where the disk does not take it."""
        entry = {
            "url": self.client.url,
            "job_id": job.id,
            "part": message.part,
            "headers": job.lease_headers,
            "body": message.body(),
        }
        try:
            write_private_json(self.folder / f"{job.id}.json", entry)
        except OSError as error:
            logger.error("job %s: the result could not be written to the disk: %s", job.id, error)
        return entry

    def deliver(self, job: Job, message: Message, post: Post) -> None:
        """Sends one result, for up to 10 minutes; then it stays for `deliver_all`. Raises RunnerRefused."""
        try:
            self._deliver(self.put(job, message), PATIENCE_SECONDS, post)
        except Unavailable as error:
            logger.warning("job %s: result not delivered yet, kept in %s: %s", job.id, self.folder, error)

    def deliver_all(self) -> None:
        """Tries each waiting result and log once. Raises Unavailable or RunnerRefused."""
        for path in sorted(self.folder.glob("*.json")):
            entry = read_json(path)
            if entry is None:
                logger.error("the result in %s cannot be read and is removed", path)
                path.unlink()
            elif entry["url"] == self.client.url:
                self._deliver(entry, 0, self.client.post)
        for path in sorted(self.journals.glob("*.json")):
            self._give_up(path)

    def _deliver(self, entry: dict[str, Any], patience: float, post: Post) -> None:
        job_id = entry["job_id"]
        log = Journal.left(self.journals / f"{job_id}.json")
        if log and log.url == self.client.url:
            self._send_log(log, patience)
            log.remove()
        path = f"/api/runner/jobs/{job_id}/{entry.get('part', 'update')}"
        try:
            self._patiently(lambda: post(path, entry["body"], entry["headers"]), patience)
            logger.info("job %s: result delivered", job_id)
        except Refused as error:
            logger.error("job %s: the server refused the result: %s", job_id, error)
        (self.folder / f"{job_id}.json").unlink(missing_ok=True)

    def _give_up(self, path: Path) -> None:
        """Tells that the job has ended here without a result: this runner was killed while it ran, or cut off."""
        log = Journal.left(path)
        if log and log.url != self.client.url:
            return
        if log and self._send_log(log, patience=0):
            try:
                self._patiently(lambda: self.client.post(f"/api/runner/jobs/{log.job_id}/release", {}, log.headers), 0)
                logger.info("job %s: given up", log.job_id)
            except Refused as error:
                logger.info("job %s: the server does not wait for it any more: %s", log.job_id, error)
        journal.remove(path)

    def _send_log(self, log: Journal, patience: float) -> bool:
        """Sends what is left of a log. False where the server refuses it, for which the job is lost or logs unknown."""
        try:
            while self._patiently(lambda: log.send(self.client), patience):
                pass
        except Refused as error:
            logger.info("job %s: the rest of the log is dropped: %s", log.job_id, error)
            return False
        except OSError as error:
            logger.error("job %s: the rest of the log cannot be read and is dropped: %s", log.job_id, error)
        return True

    def _patiently(self, call: Callable[[], T], patience: float) -> T:
        try:
            return retrying(call, self.shutdown.wait, patience, lambda: self.shutdown.requested)
        except Refused as error:
            if error.status != UNAUTHORIZED:
                raise
            self.renew_token(error)
            return self._patiently(call, patience)
