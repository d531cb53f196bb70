"""Bugs in what the watchdog does, and in what is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from patches import Patch, bug


@bug
def watchdog_asleep(patch: Patch) -> None:
    """Nobody looks for lost leases."""
    patch.set("bvo_jobs.watchdog:expire_leases", lambda: None)


@bug
def repeated_in_silence(patch: Patch) -> None:
    """A job that may be started once goes back when its robot is lost."""
    from bvo_jobs import attempts, watchdog

    def lose(session: Any, job: Any, words: str) -> str:
        attempts.note(session, job, attempts.LEASE_LOST)
        watchdog._give_back(job, attempt=job.attempt)
        return "requeued"

    patch.set("bvo_jobs.watchdog:_lose", lose)


@bug
def given_back_and_still_held(patch: Patch) -> None:
    """A job that was given back can still be reported on by who gave it back."""
    from bvo.database import db
    from bvo_jobs import states
    from bvo_jobs.models import Job

    patch.set("bvo_jobs.states:TRANSITIONS", {**states.TRANSITIONS, ("pending", "completed"): {"result"}})
    before = patch.set("bvo_jobs.execution:held", lambda job_id, *whose: db.session.get(Job, job_id))
    patch.set("bvo_jobs.watchdog:held", before)


@bug
def audit_row_left_out(patch: Patch) -> None:
    """What the watchdog does is not in the audit log."""
    from bvo import events

    silent = SimpleNamespace(emit=lambda *arguments, **more: None, snapshot=events.snapshot)
    patch.set("bvo_jobs.watchdog:events", silent)


@bug
def events_untold(patch: Patch) -> None:
    """Events are in the audit log, and nobody else is told."""
    patch.set("bvo.delivery:_Turn._hand_over", lambda turn, event, call: "")


@bug
def events_told_backwards(patch: Patch) -> None:
    """What happened last is told first."""
    before = patch.set("bvo.event_log:read", lambda *where, limit: before(*where, limit=limit)[::-1])


@bug
def keys_ignored(patch: Patch) -> None:
    """A request that is sent twice is carried out twice, whatever its Idempotency-Key."""
    patch.set("bvo.idempotency:HEADER", "X-Another-Header")


@bug
def log_pieces_twice(patch: Patch) -> None:
    """A piece of a log that is sent twice is kept twice."""
    from bvo_jobs.models import LogChunk

    def has_piece(job: Any, sequence: int) -> bool:
        from bvo.database import db

        kept = db.session.query(LogChunk).filter_by(job_id=job.id, attempt=job.attempt, sequence=sequence).first()
        if kept:
            kept.sequence += 1000
            db.session.flush()
        return False

    patch.set("bvo_jobs.output:_has_piece", has_piece)


@bug
def result_cut(patch: Patch) -> None:
    """Long texts in results lose their end."""

    def ending(outcome: Any) -> Any:
        end = before(outcome)
        cut = {name: value[:20] if isinstance(value, str) else value for name, value in (end["result"] or {}).items()}
        return {**end, "result": cut}

    before = patch.set("bvo_jobs.execution:ending", ending)


@bug
def result_forgotten(patch: Patch) -> None:
    """A result is acknowledged and not stored."""
    patch.set("bvo_jobs.execution:_accept", lambda *report: None)


@bug
def late_report_overwrites(patch: Patch) -> None:
    """What a lost attempt reports is written over what the job ended with."""
    from bvo.database import transaction
    from bvo_jobs.models import Job

    def keep_late(job_id: int, robot_id: int, lease_token: str | None, report: Any) -> None:
        with transaction() as session:
            session.get_one(Job, job_id).error_message = "late"

    patch.set("bvo_jobs.attempts:keep_late", keep_late)


@bug
def cancel_forgotten(patch: Patch) -> None:
    """A cancel is acknowledged, and nothing happens."""

    def note_end(session: Any, job: Any, before: str) -> None:
        job.status = before

    patch.set("bvo_jobs.service:_note_end", note_end)


@bug
def job_forgotten(patch: Patch) -> None:
    """A new job is acknowledged, and not kept."""

    def add(service: Any, session: Any, *arguments: Any) -> Any:
        job = before(service, session, *arguments)
        session.delete(job)
        session.flush()
        return job

    before = patch.set("bvo_jobs.service:JobService._add", add)


@bug
def failure_unforeseen(patch: Patch) -> None:
    """A cancel meets an error that nobody has thought of."""

    def note_end(*arguments: Any) -> None:
        raise RuntimeError("nobody has thought of this")

    patch.set("bvo_jobs.service:_note_end", note_end)
