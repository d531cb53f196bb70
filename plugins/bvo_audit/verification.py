"""Whether the event log is as it was sealed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select

from bvo.database import db, utcnow
from bvo.event_log import LoggedEvent

from . import sealing
from .canonical import Tally
from .faults import Chain, Fault, compare
from .models import AuditSeal

PAGE = 100
"""Seals that are in memory at a time."""


@dataclass
class Result:
    """What was found. `removed` events are too old to be kept; `unsealed` ones are new, the oldest of then."""

    seals: int = 0
    events: int = 0
    removed: int = 0
    unsealed: int = 0
    unsealed_since: datetime | None = None
    head: AuditSeal | None = None
    heads: dict[str, int] = field(default_factory=dict)
    """The numbers of the seals that were kept elsewhere, by their hashes."""
    fault: Fault | None = None


def sealed_events() -> int:
    """How many events have a seal."""
    return db.session.scalar(select(func.sum(AuditSeal.count))) or 0


def verify(heads: Collection[str], kept_days: int, progress: Callable[[int], None]) -> Result:
    """Compute everything anew, up to the first thing that does not fit.

    `heads` are hashes of seals that were kept elsewhere. Events of the last `kept_days` days must be there; 0: all.
    """
    result, chain = Result(), Chain()
    with closing(_stretches()) as stretches:
        for seal, tally in stretches:
            result.fault = chain.follow(seal)
            if result.fault is None and not tally.fits(seal):
                result.fault = None if _is_removed(seal, tally, kept_days) else compare(seal, tally)
            if result.fault:
                return result
            _note(result, seal, tally, heads)
            progress(seal.count)
    result.fault = _unknown(heads, result)
    _look_behind(result)
    return result


def _stretches() -> Generator[tuple[AuditSeal, Tally]]:
    """Each seal with the events that stand where its own belong: also those before the first one."""
    behind: list[ColumnElement[bool]] = []
    for seals in pages():
        with closing(sealing.read(LoggedEvent.id <= seals[-1].last, *behind)) as events:
            event = next(events, None)
            for seal in seals:
                tally = Tally()
                while event is not None and event.id <= seal.last:
                    tally.add(event)
                    event = next(events, None)
                yield seal, tally
        behind = [LoggedEvent.id > seals[-1].last]


def pages(*where: ColumnElement[bool]) -> Iterator[Sequence[AuditSeal]]:
    """The seals that fit, in their order, few of them in memory at a time. Between pages no transaction is open."""
    page = select(AuditSeal).where(*where).order_by(AuditSeal.id).limit(PAGE)
    seals = db.session.scalars(page).all()
    while seals:
        db.session.expunge_all()
        yield seals
        db.session.rollback()
        seals = db.session.scalars(page.where(AuditSeal.id > seals[-1].id)).all()


def _is_removed(seal: AuditSeal, tally: Tally, kept_days: int) -> bool:
    """Retention takes all of a stretch, or nothing. Asked behind the reading: it may just have done so."""
    return kept_days > 0 and not tally.count and seal.newest < utcnow() - timedelta(days=kept_days)


def _note(result: Result, seal: AuditSeal, tally: Tally, heads: Collection[str]) -> None:
    result.seals += 1
    result.events += tally.count
    result.removed += 0 if tally.count else seal.count
    result.head = seal
    if seal.hash in heads:
        result.heads[seal.hash] = seal.id


def _unknown(heads: Collection[str], result: Result) -> Fault | None:
    """Whoever can write to the database and has the program can seal anew; only what is kept elsewhere tells."""
    for hash_ in heads:
        if hash_ not in result.heads:
            end = f"The log ends with seal {result.head.id}" if result.head else "The log has no seal"
            lost = f"{end}, and none has the hash {hash_}: the end was cut off, or the log was sealed anew."
            return Fault("end_removed", lost)
    return None


def _look_behind(result: Result) -> None:
    """What is not sealed yet."""
    unsealed: Any = select(func.count(), func.min(LoggedEvent.timestamp))
    if result.head:
        unsealed = unsealed.where(LoggedEvent.id > result.head.last)
    result.unsealed, result.unsealed_since = db.session.execute(unsealed).one()
