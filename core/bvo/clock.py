"""The wall clock, checked against the monotonic one: what judges by the wall clock asks here before it does.

Each process has one guard. The worker looks at it before its tasks, and lets them count anew after a jump; a task that
ends what has expired asks once more when it has locked its rows: nobody can have renewed them since by another clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from .database import utcnow

JUMP = timedelta(seconds=5)
"""The two clocks may differ by so much more than at the last look; what is more is a jump."""
EPOCH = datetime.fromtimestamp(0, UTC)


def _offset() -> timedelta:
    """How far the wall clock is ahead of the monotonic one."""
    return utcnow() - EPOCH - timedelta(seconds=time.monotonic())


@dataclass
class ClockGuard:
    """Remembers how the clocks stood at the last look."""

    _offset: timedelta = field(default_factory=_offset)

    def jumped(self) -> bool:
        """True where the wall clock has jumped since the last look."""
        return abs(_offset() - self._offset) > JUMP

    def look(self) -> bool:
        """The same, and count from now on. Small differences add up to nothing: clocks may be corrected bit by bit."""
        jumped = self.jumped()
        self._offset = _offset()
        return jumped


guard = ClockGuard()
"""The one of this process."""


@dataclass
class Pace:
    """For a task whose interval is a setting: it is called more often, and asks whether it is due."""

    _last: float = field(default_factory=time.monotonic)

    def is_due(self, seconds: float) -> bool:
        """True where it was due last so many seconds ago."""
        due = time.monotonic() - self._last >= seconds
        if due:
            self._last = time.monotonic()
        return due
