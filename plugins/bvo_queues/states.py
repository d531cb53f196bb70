"""The states of a queue item, and the only place that knows what leads from one to another."""

from __future__ import annotations

from werkzeug.exceptions import Conflict

NEW, IN_PROGRESS, COMPLETED, FAILED, ABANDONED = "new", "in_progress", "completed", "failed", "abandoned"
STATES = (NEW, IN_PROGRESS, COMPLETED, FAILED, ABANDONED)

CLAIM, RESULT, OPERATOR, LOST, DEADLINE = "claim", "result", "operator", "lost", "deadline"
"""What changes an item's state: a job takes it, or reports; a person; a job that ended or was silent; its deadline."""

TRANSITIONS = {
    (NEW, IN_PROGRESS): {CLAIM, OPERATOR},
    (NEW, ABANDONED): {OPERATOR, DEADLINE},
    (IN_PROGRESS, NEW): {RESULT, OPERATOR, LOST},
    (IN_PROGRESS, COMPLETED): {RESULT, OPERATOR},
    (IN_PROGRESS, FAILED): {RESULT, OPERATOR, LOST},
    (IN_PROGRESS, ABANDONED): {OPERATOR, DEADLINE},
    (FAILED, NEW): {OPERATOR},
    (ABANDONED, NEW): {OPERATOR},
}

APPLICATION, BUSINESS = "application", "business"
"""Kinds of failures: the surroundings failed, and it is tried again; or the item itself can't be processed, ever."""
KINDS = (APPLICATION, BUSINESS)


def check(status: str, following: str, cause: str) -> None:
    """Raise Conflict where an item that is `status` can't become `following` by this `cause`."""
    if cause not in TRANSITIONS.get((status, following), ()):
        raise Conflict(f"An item that is {status} can't become {following}.")
