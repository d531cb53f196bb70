"""The right to run one job, and everything else that may end it early."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bvo_agent.protocol import Job
from bvo_agent.shutdown import Shutdown


class StopReason(enum.Enum):
    LOST = "the lease is lost"
    CANCELED = "the server asked to stop it"
    TIMEOUT = "it ran too long"
    SHUTDOWN = "the runner was stopped"


StopCheck = Callable[[], "StopReason | None"]


class Lease:
    """Renewed by heartbeats, counted on the monotonic clock from when a renewal was *sent*.

    It ends before the server's own count does: a runner that is cut off stops before another one starts.
    """

    def __init__(self, job: Job, claimed_at: float) -> None:
        self.job = job
        self._ended: StopReason | None = None
        self._renewed_at = claimed_at
        self._seconds = job.lease_seconds if job.lease_token else None

    def renewed(self, sent_at: float) -> None:
        self._renewed_at = max(self._renewed_at, sent_at)

    def end(self, reason: StopReason) -> None:
        self._ended = self._ended or reason

    def reason(self) -> StopReason | None:
        """Why the job must stop, None as long as the lease is good."""
        if self._ended is None and self._seconds is not None:
            margin = min(15.0, self._seconds / 4)
            if time.monotonic() > self._renewed_at + self._seconds - margin:
                self._ended = StopReason.LOST
        return self._ended


@dataclass
class Watch:
    """Asked several times a second while a job runs: may it go on?"""

    lease: Lease
    shutdown: Shutdown
    _deadline: float | None = field(default=None, init=False)

    def start_clock(self) -> None:
        """The job's timeout counts from now."""
        seconds = self.lease.job.timeout_seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def reason(self) -> StopReason | None:
        if self.lease.reason():
            return self.lease.reason()
        if self.shutdown.requested:
            return StopReason.SHUTDOWN
        if self._deadline is not None and time.monotonic() > self._deadline:
            return StopReason.TIMEOUT
        return None

    @property
    def unreported(self) -> bool:
        """Whether the server has already decided how this attempt ended."""
        return self.lease.reason() is not None
