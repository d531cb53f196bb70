"""What has a bound in seconds. Each bound grows by what this machine itself kept its processes waiting.

Where a target was killed or frozen in between, nothing is said: a frozen robot can't end its script.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from .evidence import Evidence
from .observer import Overdue
from .starts import Start

SLACK_SECONDS = 1.0
STALL_WEIGHT = 4
"""A stall that one thread of ours has seen once hits each of the steps that a bound is made of."""
SCRIPT_ENDS_SECONDS = 2.0
"""What a runner needs to end a script that does not resist."""
ITEM_SWEEP_SECONDS = 1.0


def lost_jobs_are_recovered(evidence: Evidence) -> Iterator[str]:
    """A lease that has run out is seen within `sweep_seconds` and 1 s, while one of the watchdogs was undisturbed."""
    for late in evidence.overdue:
        if words := _too_late(evidence, late, evidence.terms.sweep_seconds):
            yield f"job {late.id} was still running {words}"


def lost_items_are_recovered(evidence: Evidence) -> Iterator[str]:
    """The same of items, also where their job has ended."""
    for late in evidence.overdue_items:
        if words := _too_late(evidence, late, ITEM_SWEEP_SECONDS):
            yield f"item {late.id} was still held {words}"


def _too_late(evidence: Evidence, late: Overdue, sweep_seconds: float) -> str:
    since = max([late.since, *_disturbances_end(evidence, late.since, late.seen)])
    allowed = sweep_seconds + SLACK_SECONDS + _stalls(evidence, since, late.seen)
    late_by = late.seen - since
    return f"{late_by:.2f} s after its lease; allowed: {allowed:.2f} s" if late_by > allowed else ""


def longest_recovery(evidence: Evidence) -> float:
    """The longest time in seconds that an expired lease was seen to stay, where nothing was disturbed."""
    overdue = (*evidence.overdue, *evidence.overdue_items)
    found = [late for late in overdue if not _disturbances_end(evidence, late.since, late.seen)]
    return max((late.seen - late.since for late in found), default=0.0)


def attempts_do_not_overlap(evidence: Evidence) -> Iterator[str]:
    """A script has ended before the next attempt starts, unless its runner was killed or frozen."""
    by_job = defaultdict(list)
    for start in evidence.starts:
        by_job[start.job].append(start)
    for starts in by_job.values():
        for first, second in pairwise(starts):
            overlap = first.last_sign - second.at
            if overlap > _stalls(evidence, first.at, first.last_sign) and not _hurt(evidence, first):
                yield f"job {first.job}: its script on {first.runner} still ran {overlap:.2f} s into the next attempt"


def cancelled_scripts_are_ended(evidence: Evidence) -> Iterator[str]:
    """A script whose job was cancelled ends within a lease, unless its runner was killed or frozen."""
    cancelled = {call.get("job"): call.answered_at for call in evidence.of("cancel") if call.ok}
    for start in evidence.starts:
        at = cancelled.get(start.job, float("inf"))
        allowed = evidence.terms.lease_seconds + SCRIPT_ENDS_SECONDS + _stalls(evidence, start.at, start.last_sign)
        lived = start.last_sign - max(at, start.at)
        if lived > allowed and not _hurt(evidence, start):
            yield f"job {start.job}: its script lived {lived:.2f} s after the cancel; allowed: {allowed:.2f} s"


def _hurt(evidence: Evidence, start: Start) -> bool:
    return evidence.stage.disturbed(start.runner, start.at, start.last_sign)


def _stalls(evidence: Evidence, since: float, until: float) -> float:
    return STALL_WEIGHT * evidence.stage.stall(since, until)


def _disturbances_end(evidence: Evidence, since: float, until: float) -> list[float]:
    """When one of the two watchdogs, and what they need, was itself again."""
    found = [each for each in evidence.stage.disturbances if each.touches(since, until)]
    needed = [each.until for each in found if each.target in ("database", "clock")]
    servers, workers = ([each for each in found if each.target == target] for target in ("server", "worker"))
    both = [(one, other) for one in servers for other in workers if one.touches(other.since, other.until)]
    return needed + [min(one.until, other.until) for one, other in both]
