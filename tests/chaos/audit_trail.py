"""The event log: each change has its row, the rows alone tell what became of a job, and others are told of each."""

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
    for row in evidence.events:
        if row["entity_type"] == "job":
            trails[int(row["entity_id"])].append(row["action"])
    lost = Counter(row["job_id"] for row in evidence.lost if row["reason"] == attempts.LEASE_LOST)
    for job, row in evidence.jobs.items():
        yield from _replay(row, trails[job], lost[job])
    for job in trails.keys() - evidence.jobs.keys():
        yield f"job {job} is in the audit log and nowhere else"


def is_told_to_others(evidence: Evidence) -> Iterator[str]:
    """Who listens was given each event, those of one thing in their order, and nothing else."""
    logged = {row["event_id"]: row for row in evidence.events}
    first = list(dict.fromkeys(event for event in evidence.told if event in logged))
    if missing := [str(row["type"]) for event, row in logged.items() if event not in set(first)]:
        yield f"{len(missing)} events were told to nobody: {Counter(missing)}"
    if phantoms := {*evidence.told} - logged.keys() - evidence.older_events:
        yield f"{len(phantoms)} events were told, and are not in the log"
    places: dict[tuple[str, str], int] = {}
    for event in first:
        row = logged[event]
        about = (row["entity_type"], row["entity_id"])
        if row["id"] < places.get(about, 0):
            yield f"{row['type']} of {about} was told after what happened later"
        places[about] = row["id"]


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
