"""What must hold whatever was injected. Each check gives the words of what it found wrong; none: it holds.

The names are those of the table in docs/reliability.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import audit_trail, fencing, item_trail, items, results, timing
from .evidence import Evidence
from .history import UNKNOWN
from .observer import FINAL, MAY_CHANGE

INTERNAL_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class Violation:
    invariant: str
    words: str


def acknowledged_jobs_end(evidence: Evidence) -> Iterator[str]:
    for call in evidence.of("create", "retry"):
        if call.ok:
            job = evidence.jobs.get(call.answer["id"])
            if job is None:
                yield f"job {call.answer['id']} was acknowledged and is not there"
            elif job["status"] not in FINAL:
                yield f"job {job['id']} has not ended: it is {job['status']}"


def acknowledged_cancels_hold(evidence: Evidence) -> Iterator[str]:
    for call in evidence.of("cancel"):
        status = evidence.jobs.get(call.get("job"), {}).get("status")
        if call.ok and status != "canceled":
            yield f"job {call.get('job')} was cancelled, and is {status}"


def nothing_is_empty_in_vain(evidence: Evidence) -> Iterator[str]:
    """In a quiet phase, whoever asks for work while there is some must get it."""
    for call in evidence.of("claim"):
        if call.get("must") and not call.get("job"):
            yield f"{call.who} got no job, though {call.get('must')} were waiting and nothing else happened"


def one_start_at_a_time_allowed(evidence: Evidence) -> Iterator[str]:
    """As often as its attempts allow, with max_attempts 1 never twice: by the start log, and by what claims gave."""
    starts: dict[int, int] = Counter(start.job for start in evidence.starts)
    for job, leases in evidence.leases.items():
        held = {(lease.claim.get("robot"), lease.claim.get("attempt")) for lease in leases if lease.is_held}
        starts[job] += len(held)
    for job, count in starts.items():
        allowed = evidence.jobs[job]["max_attempts"]
        if count > allowed:
            yield f"job {job} was started {count} times, and may be started {allowed} times"


def duplicates_make_one_job(evidence: Evidence) -> Iterator[str]:
    made = Counter(
        (job["parameters"] or {}).get("nonce") for job in evidence.jobs.values() if job["retried_from_id"] is None
    )
    for nonce, count in made.items():
        if count > 1:
            yield f"one request, sent several times, made {count} jobs (nonce {nonce})"


def duplicates_get_one_answer(evidence: Evidence) -> Iterator[str]:
    answers: dict[str, set[int]] = defaultdict(set)
    for call in evidence.of("create", "retry"):
        if call.ok:
            answers[call.get("nonce")].add(call.answer["id"])
    for nonce, ids in answers.items():
        if len(ids) > 1:
            yield f"one request, sent several times, was answered with the jobs {sorted(ids)} (nonce {nonce})"


def duplicates_repeat_once(evidence: Evidence) -> Iterator[str]:
    retried = Counter(job["retried_from_id"] for job in evidence.jobs.values())
    asked: dict[int, set[str]] = defaultdict(set)
    for call in evidence.of("retry"):
        asked[call.get("job")].add(call.get("nonce"))
    for job, nonces in asked.items():
        if retried[job] > len(nonces):
            yield f"job {job} was repeated {retried[job]} times, and {len(nonces)} times somebody asked for it"


def what_has_ended_never_changes(evidence: Evidence) -> Iterator[str]:
    for job, before in evidence.ended.items():
        now = evidence.jobs.get(job)
        if now is None:
            yield f"job {job} had ended, and is gone"
            continue
        changed = {name for name in before if before[name] != now[name]} - MAY_CHANGE
        if changed:
            yield f"job {job} had ended, and then changed: " + ", ".join(
                f"{name} {before[name]!r} -> {now[name]!r}" for name in sorted(changed)
            )


def nothing_fails_unforeseen(evidence: Evidence) -> Iterator[str]:
    for call in evidence.calls:
        if call.status == INTERNAL_ERROR:
            yield f"{call.who}: {call.kind} was answered with 500: {call.answer}"


CHECKS: dict[str, tuple[Callable[[Evidence], Iterator[str]], ...]] = {
    "I1": (acknowledged_jobs_end, items.acknowledged_items_end),
    "I2": (fencing.one_robot_holds_a_job, items.one_job_holds_an_item),
    "I3": (nothing_is_empty_in_vain, items.queues_are_not_empty_in_vain),
    "I4": (fencing.lost_leases_are_refused, items.lost_items_are_refused),
    "I5": (one_start_at_a_time_allowed, items.items_are_tried_as_often_as_allowed),
    "I6": (timing.attempts_do_not_overlap,),
    "I7": (timing.lost_jobs_are_recovered, timing.lost_items_are_recovered),
    "I8": (
        results.acknowledged_results_are_stored,
        results.acknowledged_log_lines_are_stored_once,
        results.printed_lines_are_in_order,
        items.acknowledged_item_results_are_stored,
    ),
    "I9": (
        duplicates_make_one_job,
        duplicates_get_one_answer,
        duplicates_repeat_once,
        items.duplicates_make_one_item,
    ),
    "I10": (audit_trail.tells_every_change, item_trail.tells_every_change_of_items),
    "I11": (audit_trail.is_told_to_others,),
    "I12": (fencing.no_lease_ends_early,),
    "I16": (nothing_fails_unforeseen,),
    "I17": (what_has_ended_never_changes, acknowledged_cancels_hold, items.items_that_ended_never_change),
    "I19": (timing.cancelled_scripts_are_ended,),
}


def judge(evidence: Evidence) -> list[Violation]:
    """Everything that does not hold."""
    return [
        Violation(invariant=name, words=words)
        for name, checks in CHECKS.items()
        for check in checks
        for words in check(evidence)
    ]


def unknown(evidence: Evidence) -> dict[str, int]:
    """How many calls of each kind nobody knows the outcome of. They prove nothing, and are counted apart."""
    return dict(Counter(call.kind for call in evidence.calls if call.outcome == UNKNOWN))
