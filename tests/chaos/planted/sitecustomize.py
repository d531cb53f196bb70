"""Loaded by every Python of a run: it has the bug that a file names, and the wall clock of another file.

The product has no part in this. A process that can't be changed as the file says ends at once.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SWITCH, CLOCK = os.environ.get("CHAOS_SWITCH", ""), os.environ.get("CHAOS_CLOCK", "")
FOLLOWS = "CHAOS_FOLLOWS" in os.environ
"""Whether it can be given another bug later on."""
LOOK_SECONDS = 0.05


def obey(switch: Path, now: str) -> str:
    """Do as the file says unless it is done `now`, and tell so in a file of one's own; returns what it says."""
    wanted, told = switch.read_text(encoding="ascii"), switch.with_name(f"{switch.name}.{os.getpid()}")
    if wanted != now:
        change(wanted)
    if wanted != now or not told.exists():
        told.write_text(wanted, encoding="ascii")
    return wanted


def change(bug: str) -> None:
    import planted_bugs

    planted_bugs.PATCH.undo()
    planted_bugs.PATCH.plant(bug)


@contextmanager
def or_end() -> Iterator[None]:
    """End the process where this fails: Python itself would go on after an error in this module."""
    try:
        yield
    except BaseException:
        traceback.print_exc()
        os._exit(99)


def follow(now: str) -> None:
    with or_end():
        while True:
            now = obey(Path(SWITCH), now)
            time.sleep(LOOK_SECONDS)


def begin(now: str) -> None:
    threading.Thread(target=follow, args=(now,), name="switch", daemon=True).start()


if CLOCK:
    import planted_clock

    planted_clock.follow(Path(CLOCK))
if SWITCH:
    with or_end():
        first = obey(Path(SWITCH), "")
    if FOLLOWS:
        begin(first)
        os.register_at_fork(after_in_child=lambda: begin(first))
