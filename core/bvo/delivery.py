"""Delivery: each emitter and each external audit sink gets the events that it wants, in order, at least once.

A consumer has a place in the event log, which moves on as it is served, by one worker at a time. Where it fails at an
event, what that event is about is held: its events wait for a later try, in their order, while those of all others go
on. Where it fails at all of them, its breaker opens and its place stays where it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, ForeignKey, UniqueConstraint, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from bvo_hookspecs import AuditSink, Event, PluginInfo, WebhookEmitter

from . import event_log, leases, registry, tokens
from .database import Base, BigId, db, transaction, utcnow
from .event_log import Horizon, LoggedEvent
from .observers import ObserverFailed, ObserverPaused, Observers

log = logging.getLogger(__name__)

BATCH = 100
"""Events that one consumer gets before it is the next one's turn."""
LOOK = 1000
"""So many events are looked at to find those that the consumer wants."""
LEASE = timedelta(seconds=30)
"""Longer than any call should take. So long others wait for a worker that was killed at its work."""
FIRST_RETRY_SECONDS = 2
SAVE_SECONDS = 0.2
"""So often a worker keeps how far it got: each time it waits for the disk."""


class EventConsumer(Base, leases.Leased):
    """An emitter or sink that was here: it was given every event up to `position` that it wants, but what is held."""

    __tablename__ = "event_consumers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    position: Mapped[int] = mapped_column(BigId)


class HeldEvents(Base):
    """What a consumer failed at: the events of one entity, from the place `since` on, wait until `available_at`."""

    __tablename__ = "held_events"
    __table_args__ = (UniqueConstraint("consumer_id", "entity_id", "entity_type"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    consumer_id: Mapped[int] = mapped_column(ForeignKey(EventConsumer.id, ondelete="CASCADE"))
    entity_type: Mapped[str]
    entity_id: Mapped[str]
    since: Mapped[int] = mapped_column(BigId)
    attempt: Mapped[int] = mapped_column(default=1)
    available_at: Mapped[datetime]
    last_error: Mapped[str]


@dataclass(frozen=True)
class Waiting:
    """The events of so many things wait for another try, since their consumer failed; with one of its errors."""

    things: int
    error: str


@dataclass(frozen=True)
class _Consumer:
    name: str
    plugin: PluginInfo
    take: Callable[[Sequence[Event]], None]
    accepts: Callable[[str], bool]
    batch_size: int


class _LeaseLost(Exception):
    """It took too long, and another worker has the consumer now."""


def enroll() -> None:
    """Give each consumer that is here for the first time its place: the end of the log. Servers do it as they start."""
    consumers = _consumers()
    places = _places(consumers)
    for name in (consumer.name for consumer in consumers if consumer.name not in places):
        with suppress(IntegrityError), transaction() as session:  # another server may have done it at the same time
            end = session.scalar(select(func.coalesce(func.max(LoggedEvent.id), 0)))
            session.add(EventConsumer(name=name, position=end))


def dispatch(observers: Observers, horizon: Horizon) -> int:
    """Serve each consumer one batch; returns how many events they are done with."""
    consumers = _consumers()
    if not consumers:
        return 0
    end, places = horizon.look(event_log.HORIZON_SECONDS), _places(consumers)
    enrolled = [(consumer, places[consumer.name][0]) for consumer in consumers if consumer.name in places]
    return sum(_Turn(consumer, row_id, observers).take(end) for consumer, row_id in enrolled)


def count_anew() -> None:
    """Count leases and waits from now on, after the wall clock has jumped. Twice is once."""
    with transaction() as session:
        leased = update(EventConsumer).where(EventConsumer.lease_hash.is_not(None))
        session.execute(leased.values(lease_expires_at=utcnow() + LEASE))
        session.execute(update(HeldEvents).values(available_at=utcnow()))


def needed_from() -> int | None:
    """The place of the oldest event that a consumer has not had; None where nothing is delivered to anybody."""
    places = _places(_consumers())
    if not places:
        return None
    ids = [row_id for row_id, _ in places.values()]
    held = db.session.scalar(select(func.min(HeldEvents.since)).where(HeldEvents.consumer_id.in_(ids)))
    following = min(position for _, position in places.values()) + 1
    return following if held is None else min(held, following)


def waiting() -> dict[str, Waiting]:
    """What waits for a consumer that fails, by the name of its plugin."""
    plugins = {consumer.name: consumer.plugin.name for consumer in _consumers()}
    each = select(EventConsumer.name, func.count(), func.max(HeldEvents.last_error)).join(HeldEvents)
    rows = db.session.execute(each.where(EventConsumer.name.in_(plugins)).group_by(EventConsumer.name))
    return {plugins[name]: Waiting(things, error) for name, things, error in rows}


def _consumers() -> list[_Consumer]:
    known = registry.current()
    sinks = [
        _Consumer(f"sink:{sink.name}", plugin.info, sink.write, lambda event_type: True, sink.batch_size)
        for plugin, sink in known.every(AuditSink)
    ]
    emitters = [
        _Consumer(f"emitter:{emitter.name}", plugin.info, emitter.deliver, emitter.accepts, emitter.batch_size)
        for plugin, emitter in known.every(WebhookEmitter)
    ]
    return sinks + emitters


def _places(consumers: Sequence[_Consumer]) -> dict[str, tuple[int, int]]:
    """The ids and positions of those that are enrolled, by name."""
    names = [consumer.name for consumer in consumers]
    wanted = select(EventConsumer.name, EventConsumer.id, EventConsumer.position).where(EventConsumer.name.in_(names))
    return {name: (row_id, position) for name, row_id, position in db.session.execute(wanted)}


class _Turn:
    """One consumer's turn: what is held for it and due, then what follows in the log."""

    def __init__(self, consumer: _Consumer, row_id: int, observers: Observers) -> None:
        self._consumer, self._id, self._observers = consumer, row_id, observers
        self._token = ""
        self._accepted: dict[str, bool] = {}

    def take(self, end: int) -> int:
        """Serve it up to the place `end`, where nobody else does; returns how many events it is done with."""
        consumer = self._consumer
        if self._observers.is_paused(consumer.plugin, consumer.name):
            return 0
        due = select(HeldEvents.id).where(*self._due()).exists()
        free = or_(EventConsumer.lease_hash.is_(None), leases.expired(EventConsumer))
        eligible = (EventConsumer.id == self._id, free, or_(EventConsumer.position < end, due))
        is_eligible = db.session.scalar(select(EventConsumer.id).where(*eligible))
        db.session.rollback()
        if is_eligible is None:
            return 0
        with transaction() as session:
            lease = leases.claim(session, EventConsumer, *eligible, ttl=LEASE)
        if not lease.ids:
            return 0
        self._token = lease.token
        try:
            return self._follow(end) + self._retry()
        except ObserverPaused:
            return 0
        except _LeaseLost:
            log.warning("%s took too long for an event: another worker goes on", consumer.name)
            return 0
        finally:
            self._give_back()

    def _due(self) -> tuple[ColumnElement[bool], ...]:
        """The conditions of held events that are to be tried again."""
        return HeldEvents.consumer_id == self._id, HeldEvents.available_at <= utcnow()

    def _retry(self) -> int:
        """Try again what has failed, up to the first that fails once more; returns how many events are done with.

        Each has its own time to be tried again, so its failures open no breaker: what is not held would wait, too.
        """
        columns = (HeldEvents.id, HeldEvents.entity_type, HeldEvents.entity_id, HeldEvents.since, HeldEvents.attempt)
        due = select(*columns).where(*self._due()).order_by(HeldEvents.available_at).limit(BATCH)
        count = 0
        for held in db.session.execute(due).all():
            done, error = self._release(*held)
            count += done
            if error:
                break
        return count

    def _release(self, held_id: int, entity_type: str, entity_id: str, since: int, attempt: int) -> tuple[int, str]:
        """Hand over what is held of one entity: how many events, and what went wrong then."""
        passed = select(EventConsumer.position).where(EventConsumer.id == self._id).scalar_subquery()
        about = (LoggedEvent.entity_id == entity_id, LoggedEvent.entity_type == entity_type)
        waiting = event_log.read(*about, LoggedEvent.id >= since, LoggedEvent.id <= passed, limit=BATCH)
        held = update(HeldEvents).where(HeldEvents.id == held_id)
        for done, event in enumerate(waiting):
            if error := self._hand_over([event], self._observers.attempt):
                wait = leases.backoff(FIRST_RETRY_SECONDS, attempt + 1)
                with self._leased() as session:
                    again = {"attempt": attempt + 1, "available_at": utcnow() + wait, "last_error": error}
                    session.execute(held.values(since=event.place, **again))
                return done, error
            attempt = 0
            with self._leased() as session:
                session.execute(held.values(since=event.place + 1, attempt=attempt))
        if len(waiting) < BATCH:
            with self._leased() as session:
                session.execute(delete(HeldEvents).where(HeldEvents.id == held_id))
        return len(waiting), ""

    def _follow(self, end: int) -> int:
        """Hand over what follows in the log; returns how many events are done with."""
        self._position = db.session.scalar(select(EventConsumer.position).where(EventConsumer.id == self._id)) or 0
        stretch = event_log.follow(self._position, end, self._wants, most=BATCH, look=LOOK)
        held, size = self._held_among(stretch.events), self._consumer.batch_size
        self._save_at = time.monotonic() + SAVE_SECONDS
        try:
            for begin in range(0, len(stretch.events), size):
                self._pass(stretch.events[begin : begin + size], held)
        except ObserverPaused:
            self._move(self._position)
            raise
        if stretch.length:
            self._move(stretch.end)
        return stretch.length

    def _pass(self, events: Sequence[Event], held: set[tuple[str, str]]) -> None:
        """Hand over what is not held: together, and one by one where that fails. What fails alone is held.

        The place is kept from time to time: a worker that dies has some come again.
        """
        free = [event for event in events if _about(event) not in held]
        error = self._hand_over(free, self._observers.call) if free else ""
        if error and len(events) > 1:
            for event in events:
                self._pass([event], held)
            return
        self._position = events[-1].place
        if error:
            held.add(_about(free[0]))
            self._move(self._position, self._hold(free[0], error))
        elif time.monotonic() >= self._save_at:
            self._move(self._position)
            self._save_at = time.monotonic() + SAVE_SECONDS

    def _held_among(self, events: Sequence[Event]) -> set[tuple[str, str]]:
        """What these events are about, as far as it is held."""
        ids = {event.entity_id for event in events}
        held = select(HeldEvents.entity_type, HeldEvents.entity_id).where(HeldEvents.entity_id.in_(ids))
        rows = db.session.execute(held.where(HeldEvents.consumer_id == self._id))
        return {(entity_type, entity_id) for entity_type, entity_id in rows}

    def _move(self, position: int, *held: HeldEvents) -> None:
        with self._leased(position=position) as session:
            session.add_all(held)

    def _wants(self, event_type: str) -> bool:
        """False where it wants no event of this type; where it can't say so, it is asked again for each event."""
        if event_type not in self._accepted:
            try:
                self._accepted[event_type] = self._consumer.accepts(event_type)
            except Exception:
                self._accepted[event_type] = True
        return self._accepted[event_type]

    def _hand_over(self, events: Sequence[Event], call: Callable[..., Any]) -> str:
        """What went wrong. `accepts` has a breaker of its own: its success must not hide that `take` always fails."""
        name, plugin, accepts = self._consumer.name, self._consumer.plugin, self._consumer.accepts
        try:
            with current_app.app_context():  # a session of its own: what one consumer leaves broken harms no other
                types = {event.type for event in events}
                wanted = {kind for kind in types if call(plugin, f"{name}.accepts", accepts, kind)}
                if taken := [event for event in events if event.type in wanted]:
                    call(plugin, name, self._consumer.take, taken)
        except ObserverPaused:
            raise
        except ObserverFailed as failure:
            return str(failure)
        return ""

    def _hold(self, event: Event, error: str) -> HeldEvents:
        about = {"consumer_id": self._id, "entity_type": event.entity_type, "entity_id": event.entity_id}
        until = utcnow() + leases.backoff(FIRST_RETRY_SECONDS, 1)
        return HeldEvents(**about, since=event.place, available_at=until, last_error=error)

    @contextmanager
    def _leased(self, **values: Any) -> Iterator[Session]:
        """A transaction of whoever has the lease still, which is renewed by it. Raises _LeaseLost."""
        with transaction() as session:
            if not leases.renew(session, EventConsumer, self._token, LEASE, **values):
                raise _LeaseLost
            yield session

    def _give_back(self) -> None:
        with transaction() as session:
            mine = update(EventConsumer).where(EventConsumer.lease_hash == tokens.digest(self._token))
            session.execute(mine.values(lease_hash=None, lease_expires_at=None))


def _about(event: Event) -> tuple[str, str]:
    """What is held together."""
    return event.entity_type, event.entity_id
