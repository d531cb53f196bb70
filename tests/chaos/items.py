"""Queue items: who holds them, what was accepted, what became of them."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from .evidence import Evidence
from .history import REFUSED, Call
from .queue_work import QUEUES

NEVER = float("inf")
SETTLING = ("complete-item", "fail-item", "release-item")
ENDED = ("completed", "failed", "abandoned")


@dataclass(frozen=True, kw_only=True)
class ItemLease:
    """The right of one attempt of a job to an item, from the claim that gave it; and what was sent under it."""

    claim: Call
    uses: list[Call] = field(default_factory=list)

    @property
    def holder(self) -> tuple[int, int]:
        return self.claim.get("job"), self.claim.get("attempt")

    def __str__(self) -> str:
        return f"item {self.claim.get('item')} of job {self.claim.get('job')} attempt {self.claim.get('attempt')}"


def leases(evidence: Evidence) -> dict[int, list[ItemLease]]:
    """By item, in the order of the answers to their claims."""
    found: dict[str, ItemLease] = {}
    for call in sorted(evidence.of("take-item"), key=lambda call: call.answered_at):
        if call.get("item"):
            found[call.get("item_lease")] = ItemLease(claim=call)
    for call in evidence.of("renew-item", *SETTLING):
        found[call.get("item_lease")].uses.append(call)
    by_item = defaultdict(list)
    for lease in found.values():
        by_item[lease.claim.get("item")].append(lease)
    return by_item


def acknowledged_items_end(evidence: Evidence) -> Iterator[str]:
    for call in evidence.of("create-item", "add-item"):
        if call.ok:
            item = evidence.items.get(call.answer["id"])
            if item is None:
                yield f"item {call.answer['id']} was acknowledged and is not there"
            elif item["status"] not in ENDED:
                yield f"item {item['id']} has not ended: it is {item['status']}"


def one_job_holds_an_item(evidence: Evidence) -> Iterator[str]:
    """It is given to another one only after the first may have lost it."""
    for item, found in leases(evidence).items():
        for first, second in itertools.combinations(found, 2):
            if first.holder == second.holder:
                continue
            if not (_may_be_over(evidence, first, second.claim) or _may_be_over(evidence, second, first.claim)):
                yield f"item {item} was given to the jobs {first.holder[0]} and {second.holder[0]} at the same time"


def lost_items_are_refused(evidence: Evidence) -> Iterator[str]:
    for found in leases(evidence).values():
        for lease in found:
            later = [other.claim.answered_at for other in found if other.claim.sent_at > lease.claim.answered_at]
            settled = [call.answered_at for call in lease.uses if call.ok and call.kind in SETTLING]
            dead_at = min([*later, *settled], default=NEVER)
            for call in lease.uses:
                if call.ok and call.sent_at > dead_at and not _is_replay(lease, call):
                    yield f"{lease}: {call.kind} was accepted, {call.sent_at - dead_at:.3f} s after it was over"


def items_are_tried_as_often_as_allowed(evidence: Evidence) -> Iterator[str]:
    """Their queue says how often. What may have been given back is not counted."""
    tried: dict[int, int] = Counter(line["item"] for line in evidence.script_items if line["did"] == "took")
    queues: dict[int, str] = {}
    for item, found in leases(evidence).items():
        claims = {(lease.holder, lease.claim.get("key") or lease.claim.number) for lease in found}
        back = {lease.claim.number for lease in found for call in lease.uses if _gives_back(call)}
        tried[item] += len(claims) - len(back)
        queues[item] = found[0].claim.get("queue")
    for item, count in tried.items():
        allowed = QUEUES[queues.get(item, "often")] + 1
        if count > allowed:
            yield f"item {item} was tried {count} times, and may be tried {allowed} times"


def acknowledged_item_results_are_stored(evidence: Evidence) -> Iterator[str]:
    told = [(line["item"], line["result"]) for line in evidence.script_items if line["did"] == "completed"]
    told += [(call.get("item"), call.get("body")["result"]) for call in evidence.of("complete-item") if call.ok]
    for item, result in told:
        row = evidence.items[item]
        if (row["status"], row["result"]) != ("completed", result):
            yield f"item {item} is {row['status']} with {row['result']}, and acknowledged was {result}"


def duplicates_make_one_item(evidence: Evidence) -> Iterator[str]:
    made = Counter((item["payload"] or {}).get("nonce") for item in evidence.items.values())
    for nonce, count in made.items():
        if count > 1:
            yield f"one request, sent several times, made {count} items (nonce {nonce})"


def queues_are_not_empty_in_vain(evidence: Evidence) -> Iterator[str]:
    for call in evidence.of("take-item"):
        if call.get("must") and not call.get("item"):
            yield f"{call.who} got no item, though {call.get('must')} were waiting and nothing else happened"


def items_that_ended_never_change(evidence: Evidence) -> Iterator[str]:
    for item, before in evidence.ended_items.items():
        now = evidence.items.get(item)
        if now != before:
            changed = sorted(name for name in before if now is None or now[name] != before[name])
            yield f"item {item} had ended, and then changed: {changed}"


def _gives_back(call: Call) -> bool:
    return call.kind == "release-item" and call.outcome != REFUSED


def _is_replay(lease: ItemLease, call: Call) -> bool:
    """What settled an item may come again: the same is accepted, and changes nothing."""
    return any(
        other is not call
        and other.kind == call.kind
        and other.outcome != REFUSED
        and other.sent_at < call.sent_at
        and json.dumps(other.get("body"), sort_keys=True) == json.dumps(call.get("body"), sort_keys=True)
        for other in lease.uses
    )


def _may_be_over(evidence: Evidence, lease: ItemLease, when: Call) -> bool:
    """True where the lease may have ended before that call was answered."""
    claim = lease.claim
    if any(call.kind in SETTLING and call.outcome != REFUSED and _before(call, when) for call in lease.uses):
        return True
    renewed = [call for call in lease.uses if call.kind == "renew-item" and call.ok and call.answered_at < when.sent_at]
    since = max([claim.sent_at, *(call.sent_at for call in renewed)])
    return when.answered_at > since + claim.get("seconds") or _job_may_be_over(evidence, claim, when)


def _job_may_be_over(evidence: Evidence, claim: Call, when: Call) -> bool:
    job = claim.get("job")
    ending = ("finish", "cancel", "settle", "release")
    if any(call.kind in ending and call.outcome != REFUSED and _before(call, when) for call in evidence.by_job[job]):
        return True
    return any((row["job_id"], row["attempt"]) == (job, claim.get("attempt")) for row in evidence.lost)


def _before(call: Call, when: Call) -> bool:
    return call.sent_at < when.answered_at
