"""The loop of a robot: register, claim a job, run it, again."""

from __future__ import annotations

import logging
import platform
import random
import socket
import time
from dataclasses import dataclass

from bvo_agent.claims import Claims
from bvo_agent.client import Client
from bvo_agent.errors import Refused, RunnerRefused, Unavailable
from bvo_agent.heartbeat import Heartbeat
from bvo_agent.home import Home
from bvo_agent.job_runner import JobRunner
from bvo_agent.outbox import UNAUTHORIZED, Outbox
from bvo_agent.registration import Registration
from bvo_agent.retry import backoff
from bvo_agent.shutdown import Shutdown

logger = logging.getLogger(__name__)
WAIT_SECONDS = 5
"""So long the server may keep a claim waiting for a job. It counts from when it was sent, so that less of the time is
left to confirm it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    url: str
    name: str
    machine_key: str | None
    home: Home
    poll_seconds: float


class Agent:
    def __init__(self, settings: Settings, shutdown: Shutdown) -> None:
        self._settings = settings
        self._shutdown = shutdown
        self._client = Client(settings.url)
        info = machine_info()
        self._registration = Registration(
            self._client, settings.home, settings.name, info, settings.machine_key, shutdown
        )
        self._outbox = Outbox(
            self._client, settings.home.outbox, settings.home.journals, shutdown, self._registration.renew
        )
        self._heartbeat = Heartbeat(self._client, info)
        self._claims = Claims(self._client, shutdown)
        self._jobs = JobRunner(self._client, settings.home, self._heartbeat, self._outbox, self._claims, shutdown)
        self._delays = backoff()
        self._idle = self._waited = False

    def run(self, once: bool) -> bool:
        """Works until the shutdown, with `once` for at most one job; False if that job failed.

        Raises RunnerRefused and HomeUnusable.
        """
        self._claims.ahead = not once
        with self._settings.home.opened():
            self._registration.ensure()
            with self._heartbeat:
                return self._loop(once)

    def _loop(self, once: bool) -> bool:
        while not self._shutdown.requested:
            try:
                completed = self._step(0 if once else WAIT_SECONDS)
            except Unavailable as error:
                logger.debug("%s", error)
                self._shutdown.wait(max(next(self._delays), error.retry_after or 0))
                continue
            except Refused as error:
                if error.status != UNAUTHORIZED:
                    raise RunnerRefused(f"the server refused to give work to this robot: {error}") from error
                self._registration.renew(error)
                continue
            self._delays = backoff()
            if once:
                return completed is not False
            if completed is None and not self._waited:
                self._shutdown.wait(self._settings.poll_seconds * random.uniform(0.75, 1.25))  # noqa: S311
        return True

    def _step(self, wait_seconds: int) -> bool | None:
        """Sends what waits in the outbox and the journals, then claims and runs one job; None when there is no work."""
        self._outbox.deliver_all()
        asked_at = time.monotonic()
        claim = self._claims.take(wait_seconds)
        if claim is None:
            self._waited = 0 < wait_seconds / 2 < time.monotonic() - asked_at
            if not self._idle and not self._shutdown.requested:
                logger.info("waiting for work")
            self._idle = True
            return None
        self._idle, job = False, claim.job
        logger.info("claimed job %s (process %r, package %s)", job.id, job.process_name, job.package_name)
        return self._jobs.run(job, claim.sent_at)


def machine_info() -> str:
    """Host name and system, as the server shows them: `HOST-1 (Linux 6.1)`."""
    return f"{socket.gethostname()} ({platform.system()} {platform.release()})"
