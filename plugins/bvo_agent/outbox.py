"""Results on their way to the server: on the disk before the first try, gone after the server's word."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bvo_agent.client import Client
from bvo_agent.errors import Refused, Unavailable
from bvo_agent.files import read_json, write_private_json
from bvo_agent.protocol import Job, Report
from bvo_agent.retry import retrying
from bvo_agent.shutdown import Shutdown

logger = logging.getLogger(__name__)
PATIENCE_SECONDS = 600.0
UNAUTHORIZED = 401


@dataclass(frozen=True)
class Outbox:
    client: Client
    folder: Path
    shutdown: Shutdown
    renew_token: Callable[[Refused], None]

    def put(self, job: Job, report: Report) -> dict[str, Any]:
        """Writes a result down, and returns it, also where the disk does not take it."""
        entry = {"url": self.client.url, "job_id": job.id, "headers": job.lease_headers, "body": asdict(report)}
        try:
            write_private_json(self._path(job.id), entry)
        except OSError as error:
            logger.error("job %s: the result could not be written to the disk: %s", job.id, error)
        return entry

    def deliver(self, job: Job, report: Report) -> None:
        """Sends one result, for up to 10 minutes; then it stays for `deliver_all`. Raises RunnerRefused."""
        try:
            self._deliver(self.put(job, report), PATIENCE_SECONDS)
        except Unavailable as error:
            logger.warning("job %s: result not delivered yet, kept in %s: %s", job.id, self.folder, error)

    def deliver_all(self) -> None:
        """Tries each waiting result once. Raises Unavailable or RunnerRefused."""
        for path in sorted(self.folder.glob("*.json")):
            entry = read_json(path)
            if entry is None:
                logger.error("the result in %s cannot be read and is removed", path)
                path.unlink()
            elif entry["url"] == self.client.url:
                self._deliver(entry, patience=0)

    def _deliver(self, entry: dict[str, Any], patience: float) -> None:
        self._post(entry, patience)
        self._path(entry["job_id"]).unlink(missing_ok=True)

    def _path(self, job_id: int) -> Path:
        return self.folder / f"{job_id}.json"

    def _post(self, entry: dict[str, Any], patience: float) -> None:
        path = f"/api/runner/jobs/{entry['job_id']}/update"
        try:
            retrying(
                lambda: self.client.post(path, entry["body"], entry["headers"]),
                self.shutdown.wait,
                patience,
                lambda: self.shutdown.requested,
            )
            logger.info("job %s: result delivered", entry["job_id"])
        except Refused as error:
            if error.status == UNAUTHORIZED:
                self.renew_token(error)
                self._post(entry, patience)
            else:
                logger.error("job %s: the server refused the result: %s", entry["job_id"], error)
