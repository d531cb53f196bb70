"""Leases: who holds a job, from when on a lease is known to be dead, and what was accepted under it afterwards."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

from .evidence import ITEM_KINDS, Evidence, Lease, is_valid
from .history import REFUSED, Call

NEVER = float("inf")
CONFIRM_SECONDS = 15
"""For so long a claim holds whose robot has said that it confirms."""
LOST = (404, 409)


def one_robot_holds_a_job(evidence: Evidence) -> Iterator[str]:
    """An attempt has one holder, and a robot one job."""
    for job, leases in evidence.leases.items():
        holders = defaultdict(set)
        for lease in leases:
            if lease.is_held:
                holders[lease.claim.get("attempt")].add(lease.claim.get("robot"))
        for attempt, robots in holders.items():
            if len(robots) > 1:
                yield f"job {job} attempt {attempt} was given to the robots {sorted(robots)}"
        for lease in leases:
            other = _next_claim(evidence, lease)
            if other and (use := _first_accepted(lease, other.answered_at)):
                yield f"{lease}: {use.kind} was accepted, after the robot had got job {other.get('job')}"


def lost_leases_are_refused(evidence: Evidence) -> Iterator[str]:
    """What is sent under a lease that is known to be lost has no effect, and is refused."""
    for leases in evidence.leases.values():
        for lease in leases:
            died_at, why = _death(evidence, lease)
            if use := _first_accepted(lease, died_at):
                yield f"{lease}: {use.kind} was accepted, {use.sent_at - died_at:.3f} s after {why}"


def no_lease_ends_early(evidence: Evidence) -> Iterator[str]:
    """A lease that nobody took away holds for its whole time, counted from when its renewal was sent."""
    for leases in evidence.leases.values():
        for lease in leases:
            if lease.is_legacy or _was_taken(evidence, lease):
                continue
            for lost in lease.uses:
                renewed = max((call.sent_at for call in lease.uses if is_renewal(call, lost)), default=None)
                since, holds = renewed or lease.claim.sent_at, lease.claim.answer["job"]["lease_seconds"]
                if renewed is None and lease.claim.get("confirms"):
                    holds = min(holds, CONFIRM_SECONDS)
                if _tells_loss(lost) and lost.answered_at < since + holds:
                    yield f"{lease}: lost {lost.answered_at - since:.3f} s after its renewal, and holds {holds} s"


def is_renewal(call: Call, before: Call) -> bool:
    return call.kind == "renew" and is_valid(call) and call.answered_at < before.sent_at


def _death(evidence: Evidence, lease: Lease) -> tuple[float, str]:
    """From when on the lease is known to be dead, and why."""
    claim, job = lease.claim, lease.claim.get("job")
    proofs = [(NEVER, "")]
    for other in evidence.leases[job]:
        same_robot = other.claim.get("robot") == claim.get("robot")
        if other is not lease and other.claim.sent_at > claim.answered_at and not (lease.is_legacy and same_robot):
            proofs.append((other.claim.answered_at, f"it was given to {other.claim.who}"))
    for call in evidence.by_job[job]:
        if call.ok and call.kind in ("cancel", "settle") and call.sent_at > claim.answered_at:
            proofs.append((call.answered_at, f"its {call.kind}"))
        if call.ok and call.kind == "finish":
            proofs.append((call.answered_at, "its result was accepted"))
        if call.ok and call.kind == "release" and call.get("lease") == claim.get("lease"):
            proofs.append((call.answered_at, "it was given back"))
    proofs += [(call.answered_at, "its robot was told that it is lost") for call in lease.uses if _tells_loss(call)]
    return min(proofs)


def _first_accepted(lease: Lease, after: float) -> Call | None:
    """The first thing that was accepted under the lease, though it was sent after that moment."""
    for call in lease.uses:
        accepted = is_valid(call) if call.kind == "renew" else call.ok
        told_nothing = call.kind == "renew" and lease.is_legacy
        if accepted and not told_nothing and call.sent_at > after and not _is_replay(lease, call):
            return call
    return None


def _is_replay(lease: Lease, call: Call) -> bool:
    """A result may come again: the same one under the same lease is accepted, and changes nothing."""
    if call.kind != "finish":
        return False
    return any(
        other.kind == "finish"
        and other.outcome != REFUSED
        and other.sent_at < call.sent_at
        and json.dumps(other.get("body"), sort_keys=True) == json.dumps(call.get("body"), sort_keys=True)
        for other in lease.uses
    )


def _tells_loss(call: Call) -> bool:
    """True where the answer says that the lease is lost. Of an item it may say that the item is."""
    if call.kind in ITEM_KINDS:
        return False
    if call.kind == "renew":
        return call.ok and any(lease["state"] != "valid" for lease in call.answer["leases"])
    return call.status in LOST


def _next_claim(evidence: Evidence, lease: Lease) -> Call | None:
    """The robot's next claim that gave it another job."""
    claim = lease.claim
    later = [
        call
        for call in evidence.claims_of[claim.get("robot")]
        if call.get("job") != claim.get("job") and call.sent_at > claim.answered_at
    ]
    return min(later, key=lambda call: call.answered_at, default=None)


def _was_taken(evidence: Evidence, lease: Lease) -> bool:
    """True where somebody may have ended the attempt, or the robot asked for the job again under the same key."""
    job = lease.claim.get("job")
    again = [call for call in evidence.of_key(lease.claim.get("key")) if call is not lease.claim]
    decided = ("cancel", "settle", "finish", "release")
    timed = evidence.jobs[job]["timeout_seconds"] is not None
    return (
        timed or bool(again) or any(call.kind in decided and call.outcome != REFUSED for call in evidence.by_job[job])
    )
