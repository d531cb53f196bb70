"""All that a run leaves behind, gathered once it has drained: what the oracle judges."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import func

from bvo.event_log import LoggedEvent
from bvo_jobs.models import Job, LogChunk, LostAttempt
from bvo_queues.models import QueueItem

from .history import REFUSED, Call
from .starts import lines, starts, told

if TYPE_CHECKING:
    from .stage import Stage
    from .terms import Terms
from .world import World

ITEM_KINDS = ("take-item", "add-item", "renew-item", "complete-item", "fail-item", "release-item")
"""What is sent about queue items, under the lease of a job."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A moment of a run: the ids of the last rows and the number of calls at that time."""

    job: int = 0
    item: int = 0
    event: int = 0
    calls: int = 0

    @staticmethod
    def now(world: World) -> Mark:
        last = {
            name: world.tables.columns(func.coalesce(func.max(model.id), 0))[0][0]
            for name, model in {"job": Job, "item": QueueItem, "event": LoggedEvent}.items()
        }
        return Mark(**last, calls=len(world.history.calls))


@dataclass(frozen=True, kw_only=True)
class Lease:
    """One right to a job, from the claim that gave it; a legacy robot's is known by its robot and attempt alone."""

    claim: Call
    uses: list[Call]

    @property
    def is_legacy(self) -> bool:
        return self.claim.get("lease") is None

    @property
    def is_held(self) -> bool:
        """True where its robot may have begun to work: at once, or after the first renewal where it confirms.

        One that may have been given back without a start is not counted.
        """
        if any(call.get("started") is False and call.outcome != REFUSED for call in self.uses):
            return False
        return not self.claim.get("confirms") or any(is_valid(call) for call in self.uses if call.kind == "renew")

    def __str__(self) -> str:
        claim = self.claim
        return f"job {claim.get('job')} attempt {claim.get('attempt')} of {claim.who}"


class Evidence:
    """`since`: what came before is left out."""

    def __init__(self, world: World, since: Mark | None = None) -> None:
        since = since or Mark()
        self.terms: Terms = world.terms
        self.stage: Stage = world.stage
        self.calls = list(world.history.calls)[since.calls :]
        tables = world.tables
        self.jobs: dict[int, dict[str, Any]] = {
            row["id"]: row for row in tables.rows(Job.__table__, Job.id > since.job)
        }
        self.chunks = tables.rows(LogChunk.__table__, LogChunk.job_id > since.job)
        self.lost = tables.rows(LostAttempt.__table__, LostAttempt.job_id > since.job)
        self.events = tables.rows(LoggedEvent.__table__, LoggedEvent.id > since.event)
        older = tables.columns(LoggedEvent.event_id, where=[LoggedEvent.id <= since.event])
        self.older_events = {event for (event,) in older}
        self.told = [line["id"] for line in told(world)]
        """The ids of the events that the listener was given, in their order; some of them twice."""
        self.starts = [start for start in starts(world) if start.job > since.job]
        self.ended = {job: row for job, row in world.observer.ended.items() if job > since.job}
        self.items: dict[int, dict[str, Any]] = {
            row["id"]: row for row in tables.rows(QueueItem.__table__, QueueItem.id > since.item)
        }
        self.ended_items = {item: row for item, row in world.observer.ended_items.items() if item > since.item}
        self.overdue_items = [late for late in world.observer.overdue_items.values() if late.id > since.item]
        self.script_items = [line for line in lines(world, "items.jsonl") if line["item"] > since.item]
        """What scripts themselves told of the items that they worked on."""
        self.overdue = [late for late in world.observer.overdue.values() if late.id > since.job]

    def of(self, *kinds: str) -> list[Call]:
        return [call for call in self.calls if call.kind in kinds]

    @cached_property
    def leases(self) -> dict[int, list[Lease]]:
        """By job, in the order of their claims' answers; and what was sent under each."""
        found: dict[tuple[Any, ...], Lease] = {}
        for call in sorted(self.of("claim"), key=lambda call: call.answered_at):
            if call.get("job"):
                found.setdefault(_key(call), Lease(claim=call, uses=[]))
        for call in self.of("renew", "log", "finish", "release", *ITEM_KINDS):
            if lease := found.get(_key(call)):
                lease.uses.append(call)
        by_job = defaultdict(list)
        for lease in found.values():
            by_job[lease.claim.get("job")].append(lease)
        return by_job

    @cached_property
    def by_job(self) -> dict[int, list[Call]]:
        found = defaultdict(list)
        for call in self.calls:
            found[call.get("job")].append(call)
        return found

    @cached_property
    def claims_of(self) -> dict[int, list[Call]]:
        """The claims that gave a job, by robot."""
        found = defaultdict(list)
        for call in self.of("claim"):
            if call.get("job"):
                found[call.get("robot")].append(call)
        return found

    @cached_property
    def _by_key(self) -> dict[str, list[Call]]:
        found = defaultdict(list)
        for call in self.of("claim"):
            if call.get("key"):
                found[call.get("key")].append(call)
        return found

    def of_key(self, key: str | None) -> list[Call]:
        """The claims that bore this Idempotency-Key."""
        return self._by_key[key] if key else []


def is_valid(call: Call) -> bool:
    """True for a renewal whose answer was that the lease holds. Legacy robots are told nothing."""
    return call.ok and all(lease["state"] == "valid" for lease in call.answer["leases"])


def _key(call: Call) -> tuple[Any, ...]:
    if call.get("lease"):
        return call.get("job"), call.get("lease")
    return call.get("job"), call.get("robot"), call.get("attempt")
