"""The product's wall clock, wrong by as many seconds as a file says. The file is read whenever the time is asked for.

libfaketime would do this without Python's knowledge. Its 0.9.10 makes every `time.sleep` of Python 3.11 and newer
fail, makes a request take three times as long, and leaves locked behind in a forked web worker what another thread had
locked. The product has one clock, `bvo.database.utcnow`, so nothing is left out.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bvo import database


def wrong() -> datetime:
    """Runs with the names of `bvo.database`."""
    return datetime.now(UTC) + chaos_step()  # type: ignore[name-defined]  # noqa: F821


def follow(file: Path) -> None:
    """Everybody holds the function itself, so its code is what is replaced."""
    database.chaos_step = lambda: timedelta(seconds=int(file.read_text(encoding="ascii")))  # type: ignore[attr-defined]
    database.utcnow.__code__ = wrong.__code__
