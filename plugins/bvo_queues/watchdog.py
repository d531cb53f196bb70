"""What ends or repeats items by itself: waits that are over, deadlines, lost leases, jobs that ended. No leader.

Jobs know nothing of queues: an item whose job has ended in whatever way is found here, within a second or so.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, and_, literal_column, not_, select, text, update
from sqlalchemy.orm import Session

from bvo import clock, events, leases
from bvo.database import transaction, utcnow
from bvo_jobs.models import Job

from . import states
from .models import IN_PROGRESS, NEW, OPEN_STATES, Queue, QueueItem
from .processing import Failure, end_badly, entity
from .service import let_go

BATCH, WAITS_BATCH = 100, 1000
EXPIRED, LEASE_LOST, JOB_ENDED = "expired", "lease_lost", "job_ended"

RUNS = (
    select(Job.id)
    .where(Job.id == QueueItem.job_id, Job.attempt == QueueItem.job_attempt, Job.status == literal_column("'running'"))
    .exists()
)
HELD = and_(IN_PROGRESS, QueueItem.job_id.is_not(None))
ORPHANED = and_(HELD, not_(RUNS))


def sweep() -> None:
    """Look at everything that has its time. Each item is judged once, whoever looks."""
    end_waits()
    expire_deadlines()
    release_orphans()
    expire_leases()


def count_anew() -> None:
    """Count the leases of the items that jobs hold, and the waits before retries, from now on. Twice is once.

    `defer_until` and deadlines were given as times of the wall clock, and go by it.
    """
    with transaction() as session:
        for seconds in session.scalars(select(Queue.lease_seconds).distinct()).all():
            queues = select(Queue.id).where(Queue.lease_seconds == seconds)
            _count(session, "lease_expires_at", seconds, HELD, QueueItem.queue_id.in_(queues))
    last: int | None = 0
    while last is not None:
        last = _wait_anew(last)


def _wait_anew(after: int) -> int | None:
    """Let the items with higher ids than `after` wait as long as they were to. Returns the last id of a full batch."""
    waiting = (NEW, QueueItem.available_at.is_not(None), QueueItem.wait_seconds.is_not(None))
    query = select(QueueItem.id, QueueItem.wait_seconds).where(*waiting, QueueItem.id > after)
    with transaction() as session:
        rows = session.execute(query.order_by(QueueItem.id).limit(WAITS_BATCH)).all()
        for seconds in {row.wait_seconds for row in rows}:
            some = [row.id for row in rows if row.wait_seconds == seconds]
            _count(session, "available_at", seconds, *waiting, QueueItem.id.in_(some))
    return rows[-1].id if len(rows) == WAITS_BATCH else None


def _count(session: Session, column: str, seconds: float, *where: ColumnElement[bool]) -> None:
    values = {column: utcnow() + timedelta(seconds=seconds), "updated_at": QueueItem.updated_at}
    session.execute(update(QueueItem).where(*where).values(values).execution_options(synchronize_session=False))


def end_waits() -> None:
    """Let the items be claimed whose wait is over."""
    due = (NEW, QueueItem.available_at <= utcnow())
    with transaction() as session:
        waiting = update(QueueItem).where(*due).execution_options(synchronize_session=False)
        session.execute(waiting.values(available_at=None))


def expire_deadlines() -> None:
    """Abandon the items that were not completed in time, also those that a job works on."""
    with transaction() as session:
        for item in _some(session, and_(text(OPEN_STATES), QueueItem.deadline_at < utcnow())):
            before = events.snapshot(entity(), item)
            states.check(item.status, states.ABANDONED, states.DEADLINE)
            item.status, item.error_code = states.ABANDONED, EXPIRED
            item.error_message = "expired: it was not completed by its deadline."
            let_go(item)
            session.flush()
            events.emit(states.ABANDONED, entity(), item, before=before)


def release_orphans() -> None:
    """End the attempts at items whose job has ended, in whatever way, before it had settled them."""
    with transaction() as session:
        for item in _some(session, ORPHANED):
            # Once more, now that it is locked: a job may have taken it after the query had looked at the jobs.
            if session.scalar(select(QueueItem.id).where(QueueItem.id == item.id, ORPHANED)):
                words = f"{JOB_ENDED}: the job {item.job_id} ended before it had settled this item."
                _lose(session, item, Failure(code=JOB_ENDED, message=words))


def expire_leases() -> None:
    """End the attempts at items that their jobs renew no more."""
    with transaction() as session:
        for item in _some(session, and_(IN_PROGRESS, leases.expired(QueueItem))):
            words = f"{LEASE_LOST}: the job {item.job_id} did not renew its lease of this item."
            _lose(session, item, Failure(code=LEASE_LOST, message=words))


def _lose(session: Session, item: QueueItem, failure: Failure) -> None:
    before = events.snapshot(entity(), item)
    kind = end_badly(session, item, failure, states.LOST)
    session.flush()
    events.emit(kind, entity(), item, before=before)


def _some(session: Session, condition: ColumnElement[bool]) -> list[QueueItem]:
    """Some items, locked; none where the clock has jumped: they were judged by a time that is not."""
    query = select(QueueItem).where(condition).limit(BATCH).with_for_update(skip_locked=True)
    found = list(session.scalars(query))
    return [] if clock.guard.jumped() else found
