"""Ctrl-C and SIGTERM: the first asks to finish, the second to hurry, the third ends the process."""

from __future__ import annotations

import logging
import signal
import time
from types import FrameType

logger = logging.getLogger(__name__)
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
SLICE = 0.1


class Shutdown:
    """Counts the signals in a plain attribute: the code that a handler interrupts may hold any lock."""

    def __init__(self) -> None:
        self._count = 0

    def install(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 1:
            for each in SIGNALS:
                signal.signal(each, signal.default_int_handler)

    @property
    def requested(self) -> bool:
        return self._count > 0

    @property
    def hurry(self) -> bool:
        return self._count > 1

    def wait(self, seconds: float) -> None:
        """Sleeps so long, or until the shutdown is requested."""
        end = time.monotonic() + seconds
        while not self.requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(SLICE, left))
