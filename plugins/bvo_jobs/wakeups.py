"""What makes a job claimable, or a robot free, is told to those that wait for one.

The hints are `open` (there may be a job for anybody), `robot:7` (there may be one for this robot), and `look`.
"""

from __future__ import annotations

from typing import Any

from bvo import events, wakeups
from bvo.wakeups import tell
from bvo_hookspecs import Event

from . import states

OPEN, LOOK = "open", wakeups.LOOK
OTHERS = ("process", "setting")
"""Entity types whose changes may let many jobs be claimed: limits, draining."""


def of_robot(robot_id: int) -> str:
    return f"robot:{robot_id}"


@events.committed.connect
def _committed(sender: Any, event: Event) -> None:
    for hint in _hints(event):
        tell(hint)


def _hints(event: Event) -> list[str]:
    if event.entity_type == "robot":
        return [of_robot(int(event.entity_id))]
    if event.entity_type.startswith(OTHERS):
        return [LOOK]
    if event.entity_type != "job" or event.after is None:
        return []
    job = event.after
    own = [of_robot(job["robot_id"])] if job["robot_id"] else []
    if job["status"] == states.PENDING:
        return [] if job["available_at"] else own or [OPEN]
    if not states.is_final(job["status"]):
        return []
    return [*own, OPEN] if job["process"]["max_running_jobs"] else own
