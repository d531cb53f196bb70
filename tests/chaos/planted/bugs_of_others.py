"""Bugs in the lane, in queue items, and in the runner."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from patches import Patch, bug


@bug
def lane_result_without_its_lease(patch: Patch) -> None:
    """Whatever lease comes with a result fits."""

    def finished(hot: Any, batch: Any, ask: Any, job: Any) -> Any:
        return before(hot, batch, replace(ask, lease_token=None), job)

    before = patch.set("bvo_jobs.hot:HotJobs._finished", finished)


@bug
def lane_renewal_without_its_lease(patch: Patch) -> None:
    """Whoever renews is told that the lease holds."""
    from bvo_jobs.asks import Kept

    patch.set("bvo_jobs.hot:HotJobs.beat", lambda hot, batch, asks: [Kept(batch.settings) for _ in asks])


@bug
def lane_events_left_out(patch: Patch) -> None:
    """What is answered by the lane is not in the audit log."""
    patch.set("bvo_jobs.hot:HotJobs._tell", lambda hot, *what: None)


@bug
def lane_answers_first(patch: Patch) -> None:
    """The lane answers, and never commits."""
    patch.set("bvo.statements:Connection.commit", lambda connection, *calls: connection.rollback())


@bug
def item_claim_without_guard(patch: Patch) -> None:
    """An item that a job works on can be claimed once more."""
    from bvo_queues.models import QueueItem

    patch.set("bvo_queues.processing:READY", QueueItem.status.in_(("new", "in_progress")))


@bug
def items_are_skipped(patch: Patch) -> None:
    """Every other item is never found."""
    from bvo_queues.models import QueueItem

    before = patch.set("bvo_queues.processing:_ready", lambda queue: (*before(queue), QueueItem.id % 2 == 0))


@bug
def item_result_without_its_lease(patch: Patch) -> None:
    """Whatever lease comes with the result of an item fits."""
    from bvo_queues.models import QueueItem

    patch.set("bvo_queues.processing:_held", lambda session, item_id, job, item_lease: session.get(QueueItem, item_id))


@bug
def items_of_ended_jobs_stay(patch: Patch) -> None:
    """Nobody looks for the items that ended jobs have left."""
    for name in ("release_orphans", "expire_leases"):
        patch.set(f"bvo_queues.watchdog:{name}", lambda: None)


@bug
def item_retries_uncounted(patch: Patch) -> None:
    """An item is tried again as often as it fails."""

    def end_badly(session: Any, item: Any, *more: Any) -> Any:
        kind, item.retries = before(session, item, *more), 0
        return kind

    before = patch.set("bvo_queues.processing:end_badly", end_badly)


@bug
def item_result_forgotten(patch: Patch) -> None:
    """An item is completed, and its result is not stored."""
    before = patch.set("bvo_queues.processing:_complete", lambda item, result: before(item, None))


@bug
def items_are_added_twice(patch: Patch) -> None:
    """A job that adds an item again, because the answer was lost, adds another one."""
    patch.set("bvo_queues.api:_key", lambda: None)


@bug
def item_events_left_out(patch: Patch) -> None:
    """What jobs do with items is not in the audit log."""
    from bvo import events

    silent = SimpleNamespace(emit=lambda *arguments, **more: None, snapshot=events.snapshot)
    patch.set("bvo_queues.processing:events", silent)


@bug
def runner_does_not_stop(patch: Patch) -> None:
    """The runner is told that its job was cancelled, and lets the script go on."""
    patch.set("bvo_agent.heartbeat:ENDINGS", {})


@bug
def runner_without_fence(patch: Patch) -> None:
    """A runner that is cut off does not count its lease, and lets the script go on."""

    def renewed(lease: Any, sent_at: float, *more: Any) -> None:
        before(lease, float("inf"), *more)

    before = patch.set("bvo_agent.lease:Lease.renewed", renewed)
