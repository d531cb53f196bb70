"""The states of a job, and the only place that knows what leads from one to another."""

from __future__ import annotations

from werkzeug.exceptions import Conflict

PENDING, RUNNING, COMPLETED, FAILED, CANCELED = "pending", "running", "completed", "failed", "canceled"
STATES = (PENDING, RUNNING, COMPLETED, FAILED, CANCELED)

CLAIM, RESULT, OPERATOR, LEASE_LOST, DEADLINE = "claim", "result", "operator", "lease_lost", "deadline"
"""What changes a job's state: a robot takes it, or reports; a person; a robot's silence; the time it may take."""

TRANSITIONS = {
    (PENDING, RUNNING): {CLAIM},
    (PENDING, CANCELED): {OPERATOR},
    (RUNNING, COMPLETED): {RESULT, OPERATOR},
    (RUNNING, FAILED): {RESULT, OPERATOR, LEASE_LOST, DEADLINE},
    (RUNNING, CANCELED): {OPERATOR},
    (RUNNING, PENDING): {LEASE_LOST},
}


def is_final(status: str) -> bool:
    """True where nothing can follow."""
    return not any(before == status for before, _ in TRANSITIONS)


def allows(status: str, following: str, cause: str) -> bool:
    """True where `cause` may lead from one state to the other."""
    return cause in TRANSITIONS.get((status, following), ())


def check(status: str, following: str, cause: str) -> None:
    """Raise Conflict where a job that is `status` can't become `following` by this `cause`."""
    if not allows(status, following, cause):
        raise Conflict(f"A job that is {status} can't become {following}.")
