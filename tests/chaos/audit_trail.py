"""The audit log and the outbox: each change has its row, and the rows alone tell what became of a job."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from bvo_jobs import attempts

from .evidence import Evidence

BEGIN, PENDING, RUNNING = "", "pending", "running"
STEPS = {
    "job.create": (BEGIN, PENDING),
    "job.started": (PENDING, RUNNING),
    "job.requeued": (RUNNING, PENDING),
    "job.released": (RUNNING, PENDING),
    "job.completed": (RUNNING, "completed"),
    "job.failed": (RUNNING, "failed"),
}
CANCELED = "job.canceled"
ASIDE = {"job.update", "job.stopped"}
"""These change no status."""
COUNTED = {"job.started": 1, "job.released": -1}


def tells_every_change(evidence: Evidence) -> Iterator[str]:
    """Replayed, the audit rows of a job lead to its row: its status, its attempts, the attempts that it has lost."""
    trails: dict[int, list[str]] = defaultdict(list)
    for row in evidence.audit:
        if row["entity_type"] == "job":
            trails[int(row["entity_id"])].append(row["action"])
    lost = Counter(row["job_id"] for row in evidence.lost if row["reason"] == attempts.LEASE_LOST)
    for job, row in evidence.jobs.items():
        yield from _replay(row, trails[job], lost[job])
    for job in trails.keys() - evidence.jobs.keys():
        yield f"job {job} is in the audit log and nowhere else"


def is_told_to_others(evidence: Evidence) -> Iterator[str]:
    """What is in the audit log is in the outbox, once, and nothing else is."""
    told, audited = Counter(evidence.outbox), {row["event_id"] for row in evidence.audit}
    if missing := audited - told.keys():
        yield f"{len(missing)} events of the audit log are not in the outbox"
    if phantoms := told.keys() - audited:
        yield f"{len(phantoms)} events of the outbox are not in the audit log"
    if twice := [event for event, count in told.items() if count > 1]:
        yield f"{len(twice)} events are in the outbox more than once"


def _replay(row: dict[str, Any], trail: list[str], lost: int) -> Iterator[str]:
    status, attempt, counted = BEGIN, 0, Counter(trail)
    for action in trail:
        if action in ASIDE:
            continue
        before, after = STEPS.get(action, (status, "canceled"))
        if status != before or (action == CANCELED and status not in (PENDING, RUNNING)):
            yield f"job {row['id']}: {action} follows on {status or 'nothing'}: {trail}"
            return
        status, attempt = after, attempt + COUNTED.get(action, 0)
    if (status, attempt) != (row["status"], row["attempt"]):
        yield f"job {row['id']} is {row['status']} at attempt {row['attempt']}, and its audit log says {trail}"
    ended_so = row["error_code"] in (attempts.LEASE_LOST, attempts.POISON)
    if lost != counted["job.requeued"] + ended_so:
        yield f"job {row['id']} has lost {lost} attempts, and its audit log says {trail}"
