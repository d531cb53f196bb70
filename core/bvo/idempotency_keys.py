"""The keys of requests that clients may send again: one row for each, which runs, has ended, or was left behind.

The row is committed before the request does anything, so that only one of several does it. Every commit of that
request marks the row as carried out: where the process dies, the row tells truly whether anything was changed. Was
nothing changed, the next request takes the key over after IN_FLIGHT, and the first one, should it still live, can't
commit any more. Was something changed, the answer is lost and whoever asks again is told so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, event, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column
from werkzeug.exceptions import Conflict, UnprocessableEntity

from bvo_hookspecs import EncryptedColumn

from .database import Base, BigId, db, transaction, utcnow

RETENTION = timedelta(hours=48)
"""Twice what is promised: a clock that is set forth by a day frees no key too early."""
IN_FLIGHT = timedelta(seconds=60)
"""How long a request counts as running. Too short would do no harm: a request that is overtaken can't commit."""
BATCH = 1000


class IdempotencyKey(Base):
    """A request that bore a key. `status` is null while it runs; `body`, encrypted, is null where it was not kept."""

    __tablename__ = "idempotency_keys"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - an id names one attempt, and is never used again

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    scope: Mapped[str] = mapped_column(unique=True)
    fingerprint: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(default=utcnow, index=True)
    carried_out: Mapped[bool] = mapped_column(default=False)
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[str | None]

    @property
    def age(self) -> timedelta:
        return utcnow() - self.started_at

    @property
    def is_over(self) -> bool:
        """True where the key is free again: it expired, or whoever held it died before anything was changed."""
        return self.age >= RETENTION or (self.status is None and not self.carried_out and self.age >= IN_FLIGHT)


COLUMNS = (EncryptedColumn(name="idempotent_answers", model=IdempotencyKey, column="body"),)
"""Answers are encrypted, because those that create a robot or a machine hold its token."""


class InFlight(Conflict):
    """The first request with this key has not ended."""

    description = "A request with this Idempotency-Key is still being carried out. Send it again in a moment."

    def get_headers(self, *args: Any, **options: Any) -> list[tuple[str, str]]:
        return [*super().get_headers(*args, **options), ("Retry-After", "1")]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A request that holds the key of this row, and what marks the row in each commit."""

    row_id: int
    mark: Callable[[Session], None]


def claim(scope: str, fingerprint: str) -> IdempotencyKey:
    """The row of this request, new; or that of an earlier one, with its answer.

    Raises InFlight, UnprocessableEntity where the key is that of another request, Conflict where the answer is lost.
    """
    try:
        with transaction() as session:
            row = session.scalars(select(IdempotencyKey).filter_by(scope=scope).with_for_update()).one_or_none()
            if row is not None:
                if not row.is_over:
                    return _answered(row, fingerprint)
                session.delete(row)
                session.flush()
            session.add(mine := IdempotencyKey(scope=scope, fingerprint=fingerprint))
            session.flush()
            return mine
    except IntegrityError:  # another request inserted it at this moment
        raise InFlight from None


def begin(row_id: int) -> Attempt:
    """From here on, this session commits nothing without the mark, and nothing once another one took the key over."""

    def mark(session: Session) -> None:
        marking = update(IdempotencyKey).where(IdempotencyKey.id == row_id).values(carried_out=True)
        if not session.execute(marking.execution_options(synchronize_session=False)).rowcount:  # type: ignore[attr-defined]
            raise Conflict("It took so long that another request with this Idempotency-Key began. Ask for its answer.")

    event.listen(db.session, "before_commit", mark)
    return Attempt(row_id=row_id, mark=mark)


def end(attempt: Attempt, settle: Callable[[Session, IdempotencyKey], None]) -> None:
    """Let `settle` change or delete the row, where it is still that of this attempt."""
    event.remove(db.session, "before_commit", attempt.mark)
    with transaction() as session:
        row = session.get(IdempotencyKey, attempt.row_id, with_for_update=True)
        if row is not None:
            settle(session, row)


def lost() -> Conflict:
    """What to tell where a request was carried out, and nobody knows its answer."""
    return Conflict(
        "The first request with this Idempotency-Key was carried out, but its answer is lost. Look at what it has"
        " changed; to do it once more, send a new key."
    )


def prune() -> None:
    """Remove the keys that have expired, in batches."""
    old = select(IdempotencyKey.id).where(IdempotencyKey.started_at < utcnow() - RETENTION).limit(BATCH)
    removing = delete(IdempotencyKey).where(IdempotencyKey.id.in_(old.scalar_subquery()))
    removed = BATCH
    while removed == BATCH:
        with transaction() as session:
            removed = session.execute(removing.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]


def _answered(row: IdempotencyKey, fingerprint: str) -> IdempotencyKey:
    if row.fingerprint != fingerprint:
        raise UnprocessableEntity(
            "This Idempotency-Key was used for another request. Send a new key with a new request."
        )
    if row.status is None and row.age < IN_FLIGHT:
        raise InFlight
    if row.body is None:
        raise lost()
    return row
