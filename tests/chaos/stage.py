"""What all parts of a run share: its folder, its log of calls, and what was disturbed when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from .disk import Disk
from .history import History

TICK_SECONDS = 0.05
SETTLE_SECONDS = 10.0
"""A process that was started so long ago is taken to be at work."""


@dataclass
class Disturbance:
    """A target (a process, the database, the clock) that was not itself between two moments of the monotonic clock."""

    target: str
    kind: str
    since: float
    until: float = float("inf")

    def touches(self, since: float, until: float) -> bool:
        return self.since <= until and since <= self.until


@dataclass
class Stage:
    """A context manager: while it is open, it also measures how long this machine keeps a thread waiting."""

    folder: Path
    disturbances: list[Disturbance] = field(default_factory=list)
    _stalls: list[tuple[float, float]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        assert not any(self.folder.iterdir()), f"the folder {self.folder} is not empty: is it another run's?"
        self.disk = Disk(self.folder / "disk")
        self.history = History(self.folder / "history.jsonl")
        self._open = True
        self._ticker = threading.Thread(target=self._tick, name="ticker", daemon=True)
        self._ticker.start()
        return self

    def __exit__(self, *ended_by: object) -> None:
        self._open = False
        self._ticker.join()
        self.history.close()

    @contextmanager
    def disturbing(self, target: str, kind: str, settle: float = SETTLE_SECONDS) -> Iterator[None]:
        """While this runs, and for `settle` seconds more, nothing that depends on the target is judged by the clock."""
        disturbance = Disturbance(target, kind, time.monotonic())
        self.disturbances.append(disturbance)
        try:
            yield
        finally:
            disturbance.until = time.monotonic() + settle

    def disturbed(self, target: str, since: float, until: float) -> bool:
        """True where the target was disturbed at any time between the two moments."""
        return any(found.target == target and found.touches(since, until) for found in self.disturbances)

    def stall(self, since: float, until: float) -> float:
        """The longest wait in seconds that the machine has put on a thread of ours in that time, beyond the asked one.

        A machine that is starved is slow at everything: each bound in seconds allows for it.
        """
        found = [length for at, length in list(self._stalls) if since <= at <= until + 1]
        return max(found, default=0.0)

    def _tick(self) -> None:
        before = time.monotonic()
        while self._open:
            time.sleep(TICK_SECONDS)
            now = time.monotonic()
            if (late := now - before - TICK_SECONDS) > TICK_SECONDS:
                self._stalls.append((now, late))
            before = now
