"""How a robot gets its jobs: it asks for one, or gets one with the answer to its last result."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bvo_agent.aside import Aside
from bvo_agent.client import Client
from bvo_agent.errors import Refused, Unavailable
from bvo_agent.protocol import Job
from bvo_agent.shutdown import Shutdown

logger = logging.getLogger(__name__)
UNAUTHORIZED = 401


@dataclass(frozen=True)
class Claim:
    """A job, and when the claim was sent (monotonic)."""

    job: Job
    sent_at: float


class Claims:
    """A claim whose answer did not arrive is repeated with the same key, in either way, and gives the same job."""

    def __init__(self, client: Client, shutdown: Shutdown) -> None:
        self._client, self._shutdown = client, shutdown
        self._aside = Aside[dict[str, Any]]()
        self._key = _new_key()
        self._next: Claim | None = None
        self.ahead = False
        """Whether a result asks for the next job, too."""

    def take(self, wait_seconds: int) -> Claim | None:
        """The job that came with the last result, or a new claim. Raises Unavailable or Refused.

        Servers that know `wait_seconds` wait until there is a job; others answer at once. A runner that is to stop does
        not wait for the answer: a job that comes with it is not confirmed, so it goes back and counts as no attempt.
        """
        if self._next:
            ready, self._next = self._next, None
            return ready
        sent_at = time.monotonic()
        body = {**self._body(), "wait_seconds": wait_seconds}
        ask = partial(self._client.post, "/api/runner/next-job", body, {"Idempotency-Key": self._key})
        answer = self._aside.call(ask, lambda: self._shutdown.requested) if wait_seconds else ask()
        try:
            return None if answer is None else self._claim(answer, sent_at)
        except ValueError as error:
            raise Unavailable("a job was not understood") from error

    def report(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """Posts a result, and asks for the next job with it, unless the runner is to stop.

        Whatever is refused is sent once more as the result alone: only the claim may have been refused. A job that is
        never taken here goes back, since it is not confirmed. Raises Unavailable or Refused.
        """
        if not self.ahead or self._shutdown.requested:
            self._client.post(path, body, headers)
            return
        sent_at = time.monotonic()
        both = {**body, "next": self._body()}
        try:
            answer = self._client.post(path, both, {**headers, "Idempotency-Key": self._key})
        except Refused as error:
            if error.status == UNAUTHORIZED:
                raise
            self._client.post(path, body, headers)
            return
        if "job" in answer:
            try:
                self._next = self._claim(answer, sent_at)
            except ValueError:
                logger.info("the job goes back, and the result was taken")

    def _body(self) -> dict[str, Any]:
        return {"robot_id": self._client.robot_id, "confirms": True}

    def _claim(self, answer: Mapping[str, Any], sent_at: float) -> Claim | None:
        """Raises ValueError where the job is not understood."""
        self._key = _new_key()
        job = answer.get("job")
        try:
            return Claim(Job.from_claim(job), sent_at) if job else None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            logger.error("the server sent a job that this runner does not understand: %r", error)
            raise ValueError from error


def _new_key() -> str:
    return str(uuid.uuid4())
