"""Leases: work is taken by one worker for a time, and whoever lost it can't act on it any more.

One primitive for all that is claimed. A claim is one guarded statement: on PostgreSQL the candidates are locked with
SKIP LOCKED, on SQLite the writing transaction already excludes everyone else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, Update, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.dml import ReturningUpdate

from . import tokens
from .database import utcnow

MAX_DELAY = timedelta(hours=1)


class Leased:
    """The columns of a row that is claimed by lease."""

    attempt: Mapped[int] = mapped_column(default=0, sort_order=80)
    lease_hash: Mapped[str | None] = mapped_column(sort_order=81)
    lease_expires_at: Mapped[datetime | None] = mapped_column(sort_order=82)


@dataclass(frozen=True)
class Lease:
    """What a claim gives: the secret that proves it, until when it holds, and the ids of the rows it covers."""

    token: str
    expires_at: datetime
    ids: Sequence[int]


def claim(
    session: Session,
    model: Any,
    *eligible: ColumnElement[bool],
    ttl: timedelta,
    limit: int = 1,
    order_by: Sequence[SQLColumnExpression[Any]] = (),
    **values: Any,
) -> Lease:
    """Claim up to `limit` rows of `model` that are `eligible`, set `values`, and count the attempt."""
    candidates = (
        select(model.id)
        .where(*eligible)
        .order_by(*(order_by or (model.id,)))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("candidates")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return take(session, model, select(candidates.c.id), ttl=ttl, **values)


def take(session: Session, model: Any, ids: Any, *, ttl: timedelta, **values: Any) -> Lease:
    """Claim the rows whose ids the query `ids` gives. It must lock what it finds, or find what nobody else can take."""
    token, expires_at = tokens.new("bvol"), utcnow() + ttl
    lease = {"lease_hash": tokens.digest(token), "lease_expires_at": expires_at}
    return Lease(token, expires_at, session.scalars(taking(model, model.id.in_(ids), **lease, **values)).all())


def taking(model: Any, *which: ColumnElement[bool], **values: Any) -> ReturningUpdate[int]:
    """The statement of a claim; `values` hold the lease."""
    claimed = update(model).where(*which).values(attempt=model.attempt + 1, **values)
    return claimed.returning(model.id).execution_options(synchronize_session=False)


def renew(session: Session, model: Any, token: str, ttl: timedelta, *held: ColumnElement[bool], **values: Any) -> int:
    """Extend the rows that `token` still holds; returns how many. None: the lease is lost.

    One that has run out but was taken by nobody yet is renewed, too: only who takes it decides that it is lost.
    """
    statement = renewing(model, tokens.digest(token), *held, lease_expires_at=utcnow() + ttl, **values)
    return int(session.execute(statement).rowcount)  # type: ignore[attr-defined]


def renewing(model: Any, lease_hash: Any, *held: ColumnElement[bool], **values: Any) -> Update:
    """The statement of a renewal; `values` hold until when."""
    renewed = update(model).where(model.lease_hash == lease_hash, *held).values(**values)
    return renewed.execution_options(synchronize_session=False)


def expired(model: Any) -> ColumnElement[bool]:
    """The condition under which a lease has run out."""
    condition: ColumnElement[bool] = model.lease_expires_at < utcnow()
    return condition


def backoff(seconds: int, attempt: int) -> timedelta:
    """How long to wait after this attempt (from 1) has failed: `seconds`, then twice as long each time.

    It grows up to an hour; `seconds` that are more than that are kept to.
    """
    first = timedelta(seconds=seconds)
    return min(first * (1 << min(attempt - 1, 16)), max(first, MAX_DELAY))
