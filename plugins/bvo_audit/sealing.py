"""Sealing: what is new in the event log gets a seal once a minute, so that a later change of it is found.

Writers are not concerned. A worker reads what no other event can appear before any more, and adds a seal that holds
the hash of the one before. Where two workers do that at once, the second one finds its number taken.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from typing import Any

from marshmallow import fields
from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError

from bvo import event_log, events
from bvo.database import after_commit, db, transaction, utcnow
from bvo.event_log import LoggedEvent
from bvo_hookspecs import EventType

from . import canonical
from .canonical import COLUMNS, Tally
from .models import AuditSeal

log = logging.getLogger(__name__)

STRETCH = 1000
"""So many events at most have one seal."""
SPAN = timedelta(days=1)
"""So far at most they are apart in an old log: what has one seal is removed together, when all of it is too old."""
SECONDS = 2.0
"""So long at most a worker seals what there is, before it delivers events again."""
READ = 100
"""Events that are in memory at a time."""

SEALED = EventType(
    name="audit.sealed",
    action_type="sealed",
    help="The first seal of a day. Who keeps its hash elsewhere can show later that nothing before it was changed.",
    metadata={"seal": fields.Integer(), "place": fields.Integer(), "hash": fields.String()},
)


def seal() -> None:
    """Seal what is new, as far as no other event can appear before it."""
    end, until = event_log.horizon().look(event_log.HORIZON_SECONDS), time.monotonic() + SECONDS
    with suppress(IntegrityError):  # another worker was faster: it goes on
        while seal_next(end) and time.monotonic() < until:
            pass


def seal_next(end: int) -> int:
    """Seal the next stretch, up to the place `end` at most; returns how many events that are.

    Raises IntegrityError where another worker has done it meanwhile.
    """
    before = head()
    tally = Tally()
    with closing(read(LoggedEvent.id > (before.last if before else 0), LoggedEvent.id <= end, limit=STRETCH)) as rows:
        for row in rows:
            if tally.times and row.timestamp - tally.times[0] > SPAN:
                break
            tally.add(row)
    if tally.times is None:
        return 0
    made = _made(tally, tally.times, before)
    is_new_day = before is not None and before.sealed_at.date() != made.sealed_at.date()
    with transaction() as session:
        session.add(made)
        if is_new_day and tally.types != {SEALED.name}:  # else the log would go on for ever without anything happening
            _tell(made)
    return tally.count


def head() -> AuditSeal | None:
    """The newest seal."""
    return db.session.scalars(select(AuditSeal).order_by(AuditSeal.id.desc()).limit(1)).one_or_none()


def read(*where: ColumnElement[bool], limit: int | None = None) -> Generator[Any]:
    """The events that fit, in the order of the log, few of them in memory at a time."""
    wanted = select(*COLUMNS).where(*where).order_by(LoggedEvent.id).limit(limit)
    with db.session.execute(wanted, execution_options={"yield_per": READ}) as rows:
        yield from rows


def _made(tally: Tally, times: tuple[datetime, datetime], before: AuditSeal | None) -> AuditSeal:
    """The seal of these events, behind the one before."""
    made = AuditSeal(
        id=before.id + 1 if before else 1,
        version=canonical.VERSION,
        first=before.last + 1 if before else tally.first,
        last=tally.last,
        count=tally.count,
        oldest=times[0],
        newest=times[1],
        events_hash=tally.events_hash,
        previous_hash=before.hash if before else "",
        sealed_at=utcnow(),
        fingerprints=bytes(tally.fingerprints),
    )
    made.hash = canonical.hash_of(made)
    return made


def _tell(made: AuditSeal) -> None:
    """Let the log itself say it, and with it whoever gets what happens: sinks, webhooks, and the server's own log."""
    message = f"The audit log is sealed up to event {made.last}: {made.hash}"
    events.record(
        type=SEALED.name,
        entity_type="audit",
        entity_label="Audit log",
        entity_id="",
        entity_name="audit log",
        message=message,
        metadata={"seal": made.id, "place": made.last, "hash": made.hash},
    )
    after_commit(lambda: log.info(message))
