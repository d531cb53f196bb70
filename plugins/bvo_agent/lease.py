"""The right to run one job, and everything else that may end it early."""

from __future__ import annotations

import enum
import math
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

    It ends before the server's own count does: a runner that is cut off stops before another one starts. Until the
    first renewal a claim may hold for a shorter time: it is then not `confirmed`, and nothing may start.
    """

    def __init__(self, job: Job, claimed_at: float) -> None:
        self.job = job
        self._ended: StopReason | None = None
        self._taken = False
        self._renewed_at = claimed_at
        self._lease_seconds = job.lease_seconds
        self.confirmed = job.confirm_seconds is None

    def renewed(self, sent_at: float, seconds: float | None = None) -> None:
        """It holds for `seconds` since then; where an older server does not tell, for as long as it was claimed for."""
        self._renewed_at = max(self._renewed_at, sent_at)
        self._lease_seconds = seconds or self._lease_seconds
        self.confirmed = True

    def end(self, reason: StopReason) -> None:
        """The server's word; LOST: the job may be somebody else's already."""
        self._taken = self._taken or reason is StopReason.LOST
        self._ended = self._ended or reason

    def give_up(self) -> None:
        """It could not be confirmed in time."""
        self._ended = self._ended or StopReason.LOST

    @property
    def in_doubt(self) -> bool:
        """Whether nobody knows if the server has confirmed it: no answer came, so nothing has started."""
        return not self.confirmed and self._ended is StopReason.LOST and not self._taken

    def reason(self) -> StopReason | None:
        """Why the job must stop, None as long as the lease is good."""
        if self._ended is None and self._spare() < 0:
            self._ended = StopReason.LOST
        return self._ended

    def leaves_no_grace(self) -> bool:
        """Whether another runner has the job, or soon may have it, so that its script must be killed at once."""
        return self._taken or self._spare() < -self._margin / 2

    def _spare(self) -> float:
        """The seconds until the script is asked to end; a margin is left for its end."""
        seconds = self._seconds
        return math.inf if seconds is None else self._renewed_at + seconds - self._margin - time.monotonic()

    @property
    def _margin(self) -> float:
        seconds = self._seconds or 0.0
        return min(15.0, seconds / 4) if self.confirmed else seconds / 3

    @property
    def _seconds(self) -> float | None:
        """How long the server lets the lease hold after a renewal; None where it knows no leases."""
        if not self.confirmed:
            return self.job.confirm_seconds
        return self._lease_seconds if self.job.lease_token else None


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

    def hurry(self) -> bool:
        """Whether a script that was asked to end gets no more time for it."""
        return self.shutdown.hurry or self.lease.leaves_no_grace()

    @property
    def unreported(self) -> bool:
        """Whether the server has already decided how this attempt ended."""
        return self.lease.reason() is not None
