"""The states of a job, and the only place that knows which may follow which."""

from __future__ import annotations

from werkzeug.exceptions import Conflict

PENDING, RUNNING, COMPLETED, FAILED, CANCELED = "pending", "running", "completed", "failed", "canceled"
STATES = (PENDING, RUNNING, COMPLETED, FAILED, CANCELED)
TRANSITIONS = {
    PENDING: frozenset({RUNNING, CANCELED}),
    RUNNING: frozenset({COMPLETED, FAILED, CANCELED}),
    COMPLETED: frozenset[str](),
    FAILED: frozenset[str](),
    CANCELED: frozenset[str](),
}


def is_final(status: str) -> bool:
    """True where nothing can follow."""
    return not TRANSITIONS[status]


def check(status: str, following: str) -> None:
    """Raise Conflict where a job that is `status` can't become `following`."""
    if following not in TRANSITIONS[status]:
        raise Conflict(f"A job that is {status} can't become {following}.")
