"""The states of a queue item, and the only place that knows which may follow which."""

from __future__ import annotations

from werkzeug.exceptions import Conflict

NEW, IN_PROGRESS, COMPLETED, FAILED, ABANDONED = "new", "in_progress", "completed", "failed", "abandoned"
STATES = (NEW, IN_PROGRESS, COMPLETED, FAILED, ABANDONED)
TRANSITIONS = {
    NEW: frozenset({IN_PROGRESS, ABANDONED}),
    IN_PROGRESS: frozenset({NEW, COMPLETED, FAILED, ABANDONED}),
    COMPLETED: frozenset[str](),
    FAILED: frozenset({NEW}),
    ABANDONED: frozenset({NEW}),
}


def check(status: str, following: str) -> None:
    """Raise Conflict where an item that is `status` can't become `following`."""
    if following != status and following not in TRANSITIONS[status]:
        raise Conflict(f"An item that is {status} can't become {following}.")
