"""Waits that grow: whoever tries too often waits, twice as long each time. Counted in the database, for all servers.

An attempt is counted before it is judged, so that many at once are no way around; one that succeeds is taken back.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column
from werkzeug.exceptions import TooManyRequests

from .database import Base, transaction, utcnow

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)


class AttemptCount(Base):
    """How often somebody tried of late. The key is a digest: what is typed as a user name may be a password."""

    __tablename__ = "attempt_counts"

    key: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    last_at: Mapped[datetime]
    blocked_until: Mapped[datetime | None]
    forget_at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True)
class Counter:
    """Attempts of one kind by one caller: `free` of them without waiting, forgotten `forget` after the last one."""

    kind: str
    who: str
    free: int = 10
    forget: timedelta = timedelta(minutes=30)

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.kind}\0{self.who}".encode(errors="replace")).hexdigest()


def attempt(*counters: Counter) -> None:
    """Count an attempt. Raises TooManyRequests, with the seconds to wait, where one of the counters has run over."""
    now = utcnow()
    with transaction() as session:
        for counter in sorted(counters, key=lambda counter: counter.key):  # one order, so that none wait for each other
            _count(session, counter, now)


def forgive(counter: Counter) -> None:
    """Take one attempt back: it succeeded."""
    with transaction() as session:
        mine = update(AttemptCount).where(AttemptCount.key == counter.key, AttemptCount.count > 0)
        session.execute(mine.values(count=AttemptCount.count - 1, blocked_until=None))


def clear(*counters: Counter) -> None:
    """Forget all attempts."""
    with transaction() as session:
        session.execute(delete(AttemptCount).where(AttemptCount.key.in_([counter.key for counter in counters])))


def prune() -> None:
    """Remove the counters that have forgotten everything."""
    with transaction() as session:
        session.execute(delete(AttemptCount).where(AttemptCount.forget_at < utcnow()))


def _count(session: Session, counter: Counter, now: datetime) -> None:
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    fresh = {"count": 1, "last_at": now, "forget_at": now + counter.forget}
    counted = case((AttemptCount.forget_at < now, 1), else_=AttemptCount.count + 1)
    upsert = insert(AttemptCount).values(key=counter.key, **fresh)
    upsert = upsert.on_conflict_do_update(index_elements=["key"], set_={**fresh, "count": counted})
    count, until = session.execute(upsert.returning(AttemptCount.count, AttemptCount.blocked_until)).one()
    if until is not None and until > now:
        seconds = math.ceil((until - now).total_seconds())
        raise TooManyRequests(f"Too many attempts. Try again in {seconds} s.", retry_after=seconds)
    if count >= counter.free:
        wait = min(FIRST_WAIT * 2 ** min(count - counter.free, 10), LONGEST_WAIT)
        mine = update(AttemptCount).where(AttemptCount.key == counter.key)
        session.execute(mine.values(blocked_until=now + wait, forget_at=now + wait + counter.forget))
