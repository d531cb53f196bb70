"""The outbox: every event of every committed change, waiting for the emitters and sinks that want it.

The row is written with the change, so nothing that committed is lost and nothing that rolled back is told. The worker
claims rows by lease and hands each to those that have not had it yet; a consumer that fails gets it again, later and
later. Each consumer is served at least once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, cast

from flask import current_app
from sqlalchemy import ColumnElement, Index, Table, delete, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from bvo_hookspecs import AuditSink, Event, PluginInfo, WebhookEmitter

from . import leases, registry, tokens
from .database import Base, BigId, Json, db, transaction, utcnow
from .observers import ObserverFailed, Observers

log = logging.getLogger(__name__)

BATCH = 100
"""Slow consumers get through it before the lease runs out: after a few slow calls their breaker leaves them alone."""
LOOK = 1000
"""So many due events are looked at to find those that nobody wants."""
LEASE = timedelta(seconds=60)
RETENTION = timedelta(days=7)
MAX_BACKOFF = timedelta(hours=1)


class OutboxEvent(Base, leases.Leased):
    """One event. `pending` names the consumers that still wait for it (null: nobody was asked yet)."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_due",
            "available_at",
            "id",
            postgresql_where=text("delivered_at IS NULL"),
            sqlite_where=text("delivered_at IS NULL"),
        ),
        Index(
            "ix_outbox_delivered_at",
            "delivered_at",
            postgresql_where=text("delivered_at IS NOT NULL"),
            sqlite_where=text("delivered_at IS NOT NULL"),  # else SQLite finds there what is due, and sorts it
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event: Mapped[dict[str, Any]]
    pending: Mapped[list[str] | None] = mapped_column(Json)
    available_at: Mapped[datetime] = mapped_column(default=utcnow)
    delivered_at: Mapped[datetime | None]
    last_error: Mapped[str | None]


@dataclass(frozen=True)
class _Consumer:
    name: str
    plugin: PluginInfo
    take: Callable[[Event], None]
    accepts: Callable[[str], bool]


def add(session: Session, event: Event) -> None:
    """Put the event into the outbox, in the transaction of the change."""
    table, values = row(event)
    session.execute(insert(table), values)


def row(event: Event) -> tuple[Table, dict[str, Any]]:
    """The event's row, which is written in the transaction of the change."""
    told = {**vars(event), "occurred_at": event.occurred_at.isoformat()}
    return cast(Table, OutboxEvent.__table__), {"event": told, "available_at": utcnow(), "attempt": 0}


def dispatch(observers: Observers) -> int:
    """Claim one batch and deliver it; returns how many events are done with, or were tried."""
    consumers = _consumers()
    unwanted, more = _settle_unwanted(consumers)
    if not more:
        return unwanted
    with transaction() as session:
        lease = leases.claim(
            session,
            OutboxEvent,
            *_due(),
            ttl=LEASE,
            limit=BATCH,
            order_by=(OutboxEvent.available_at, OutboxEvent.id),  # as the index has them
        )
        wanted = (OutboxEvent.id, OutboxEvent.event, OutboxEvent.pending, OutboxEvent.attempt)
        rows = session.execute(select(*wanted).where(OutboxEvent.id.in_(lease.ids)).order_by(OutboxEvent.id)).all()
    for row in rows:
        told = _deliver_row(row.id, row.event, row.pending, consumers, observers)
        _settle(row.id, row.attempt, lease, *told)
    return unwanted + len(lease.ids)


def _due() -> tuple[ColumnElement[bool], ...]:
    """The conditions of what may be delivered now."""
    unleased = OutboxEvent.lease_hash.is_(None) | leases.expired(OutboxEvent)
    return OutboxEvent.delivered_at.is_(None), OutboxEvent.available_at <= utcnow(), unleased


def _settle_unwanted(consumers: list[_Consumer]) -> tuple[int, bool]:
    """Be done with what is due and nobody wants, which is most of it; returns how much, and whether there is more.

    It takes no lease, since nothing is delivered: to be done with an event twice is no harm.
    """
    is_wanted = cache(partial(_is_wanted, consumers))
    types = select(OutboxEvent.id, OutboxEvent.event["type"].as_string().label("type")).where(*_due())
    due = db.session.execute(types.order_by(OutboxEvent.available_at, OutboxEvent.id).limit(LOOK)).all()
    db.session.rollback()
    unwanted = [row.id for row in due if not is_wanted(row.type)]
    if unwanted:
        with transaction() as session:
            settled = update(OutboxEvent).where(OutboxEvent.id.in_(unwanted), *_due())
            settled = settled.values(pending=[], delivered_at=utcnow(), lease_hash=None, lease_expires_at=None)
            session.execute(settled.execution_options(synchronize_session=False))
    return len(unwanted), len(unwanted) < len(due)


def prune() -> None:
    """Remove what was delivered more than a week ago."""
    with transaction() as session:
        session.execute(delete(OutboxEvent).where(OutboxEvent.delivered_at < utcnow() - RETENTION))


def _from_json(data: dict[str, Any]) -> Event:
    return Event(**{**data, "occurred_at": datetime.fromisoformat(data["occurred_at"])})


def _consumers() -> list[_Consumer]:
    known = registry.current()
    sinks = [
        _Consumer(f"sink:{sink.name}", plugin.info, sink.write, lambda event_type: True)
        for plugin, sink in known.every(AuditSink)
        if sink.write
    ]
    emitters = [
        _Consumer(f"emitter:{emitter.name}", plugin.info, emitter.deliver, emitter.accepts)
        for plugin, emitter in known.every(WebhookEmitter)
    ]
    return sinks + emitters


def _is_wanted(consumers: list[_Consumer], event_type: str | None) -> bool:
    """False where no consumer wants events of this type, which most of them are; what can't be said is to be seen."""
    with current_app.app_context():
        try:
            return event_type is None or any(consumer.accepts(event_type) for consumer in consumers)
        except Exception:
            return True


def _deliver_row(
    row_id: int, data: dict[str, Any], pending: list[str] | None, consumers: list[_Consumer], observers: Observers
) -> tuple[list[str], str | None]:
    """What `_deliver` returns; an event that this version can't read is set aside, and the others go on."""
    try:
        event = _from_json(data)
    except (TypeError, KeyError, ValueError) as error:
        log.error("The outbox row %s can't be read and is set aside: %s", row_id, error)
        return [], f"unreadable: {error}"
    return _deliver(event, pending, consumers, observers)


def _deliver(
    event: Event, pending: list[str] | None, consumers: list[_Consumer], observers: Observers
) -> tuple[list[str], str | None]:
    """Hand the event to those that wait for it; returns who still waits, and the last error."""
    waiting, error = [], None
    for consumer in consumers:
        if pending is not None and consumer.name not in pending:
            continue
        try:
            with current_app.app_context():  # a session of its own: what one consumer leaves broken harms no other
                _hand_over(event, consumer, observers)
        except ObserverFailed as failure:
            waiting.append(consumer.name)
            error = str(failure)
    return waiting, error


def _hand_over(event: Event, consumer: _Consumer, observers: Observers) -> None:
    """`accepts` has a breaker of its own: its success must not hide that `take` fails every time."""
    if observers.call(consumer.plugin, f"{consumer.name}.accepts", consumer.accepts, event.type):
        observers.call(consumer.plugin, consumer.name, consumer.take, event)


def _settle(row_id: int, attempt: int, lease: leases.Lease, waiting: list[str], error: str | None) -> None:
    backoff = min(timedelta(seconds=2 ** min(attempt, 20)), MAX_BACKOFF)
    with transaction() as session:
        session.execute(
            update(OutboxEvent)
            .where(OutboxEvent.id == row_id, OutboxEvent.lease_hash == tokens.digest(lease.token))
            .values(
                pending=waiting,
                lease_hash=None,
                lease_expires_at=None,
                last_error=error,
                available_at=utcnow() + backoff if waiting else OutboxEvent.available_at,
                delivered_at=None if waiting else utcnow(),
            )
            .execution_options(synchronize_session=False)
        )
