"""The audit log of queue items: replayed, it leads to each item as it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from .evidence import Evidence

BEGIN, NEW, IN_PROGRESS = "", "new", "in_progress"
STEPS = {
    "queue_item.create": (BEGIN, NEW),
    "queue_item.started": (NEW, IN_PROGRESS),
    "queue_item.requeued": (IN_PROGRESS, NEW),
    "queue_item.released": (IN_PROGRESS, NEW),
    "queue_item.completed": (IN_PROGRESS, "completed"),
    "queue_item.failed": (IN_PROGRESS, "failed"),
}
ABANDONED = "queue_item.abandoned"
COUNTED = {"queue_item.started": (1, 0), "queue_item.released": (-1, 0), "queue_item.requeued": (0, 1)}
"""What they add to the attempts and to the retries."""


def tells_every_change_of_items(evidence: Evidence) -> Iterator[str]:
    trails: dict[int, list[str]] = defaultdict(list)
    for row in evidence.events:
        if row["entity_type"] == "queue_item":
            trails[int(row["entity_id"])].append(row["action"])
    for item, row in evidence.items.items():
        yield from _replay(row, trails[item])
    for item in trails.keys() - evidence.items.keys():
        yield f"item {item} is in the audit log and nowhere else"


def _replay(row: dict[str, Any], trail: list[str]) -> Iterator[str]:
    status, attempt, retries = BEGIN, 0, 0
    for action in trail:
        before, after = STEPS.get(action, (status, "abandoned"))
        if status != before or (action == ABANDONED and status not in (NEW, IN_PROGRESS)):
            yield f"item {row['id']}: {action} follows on {status or 'nothing'}: {trail}"
            return
        status, counted = after, COUNTED.get(action, (0, 0))
        attempt, retries = attempt + counted[0], retries + counted[1]
    if (status, attempt, retries) != (row["status"], row["attempt"], row["retries"]):
        yield f"item {row['id']} is {row['status']} at attempt {row['attempt']}, and its audit log says {trail}"
