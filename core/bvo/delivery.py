"""Delivery: each emitter and each external audit sink gets the events that it wants, in order, at least once.

A consumer has a place in the event log, which moves on as it is served, by one worker at a time. Where it fails at an
event, what that event is about is held: its events wait for a later try, in their order, while those of all others go
on. Where it fails at all of them, its breaker opens and its place stays where it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from bvo_hookspecs import Event

from . import consumers, event_log, leases, tokens
from .consumers import Consumer, EventConsumer, HeldEvents
from .database import db, transaction, utcnow
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


class _LeaseLost(Exception):
    """It took too long, and another worker has the consumer now."""


def serve(consumer: Consumer, observers: Observers, horizon: Horizon) -> int:
    """Serve a consumer one batch; returns how many events it is done with."""
    return _Turn(consumer, observers).take(horizon.look(event_log.HORIZON_SECONDS))


def dispatch(observers: Observers, horizon: Horizon) -> int:
    """Serve all consumers one batch each, one after the other; returns how many events they are done with."""
    return sum(serve(consumer, observers, horizon) for consumer in consumers.present())


def count_anew() -> None:
    """Count leases and waits from now on, after the wall clock has jumped. Twice is once."""
    with transaction() as session:
        leased = update(EventConsumer).where(EventConsumer.lease_hash.is_not(None))
        session.execute(leased.values(lease_expires_at=utcnow() + LEASE))
        session.execute(update(HeldEvents).values(available_at=utcnow()))


class _Turn:
    """One consumer's turn: what is held for it and due, then what follows in the log."""

    def __init__(self, consumer: Consumer, observers: Observers) -> None:
        self._consumer, self._observers = consumer, observers
        self._id, self._token = 0, ""
        self._was_left = False
        self._position, self._save_after, self._save_at = 0, SAVE_SECONDS, 0.0
        self._accepted: dict[str, bool] = {}

    def take(self, end: int) -> int:
        """Serve it up to the place `end`, where nobody else does; returns how many events it is done with."""
        consumer = self._consumer
        if self._observers.is_paused(consumer.plugin, consumer.name):
            return 0
        due = select(HeldEvents.id).where(*_due(EventConsumer.id)).exists()
        free = or_(EventConsumer.lease_hash.is_(None), leases.expired(EventConsumer))
        eligible = (EventConsumer.name == consumer.name, free, or_(EventConsumer.position < end, due))
        found = db.session.execute(select(EventConsumer.id, EventConsumer.lease_hash).where(*eligible)).one_or_none()
        db.session.rollback()
        if found is None:
            return 0
        self._id, self._was_left = found.id, found.lease_hash is not None
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

    def _retry(self) -> int:
        """Try again what has failed, up to the first that fails once more; returns how many events are done with.

        Each has its own time to be tried again, so its failures open no breaker: what is not held would wait, too.
        """
        columns = (HeldEvents.id, HeldEvents.entity_type, HeldEvents.entity_id, HeldEvents.since, HeldEvents.attempt)
        due = select(*columns).where(*_due(self._id)).order_by(HeldEvents.available_at).limit(BATCH)
        count = 0
        for held in db.session.execute(due).all():
            done, error = self._release(*held)
            count += done
            if error:
                break
        return count

    def _release(self, held_id: int, entity_type: str, entity_id: str, since: int, attempt: int) -> tuple[int, str]:
        """Hand over what is held of one entity: how many events, and what went wrong then.

        When to try again is written before each try: a process that does not survive it can't do it afterwards.
        """
        passed = select(EventConsumer.position).where(EventConsumer.id == self._id).scalar_subquery()
        about = (LoggedEvent.entity_id == entity_id, LoggedEvent.entity_type == entity_type)
        waiting = event_log.read(*about, LoggedEvent.id >= since, LoggedEvent.id <= passed, limit=BATCH)
        held = update(HeldEvents).where(HeldEvents.id == held_id)
        for done, event in enumerate(waiting):
            attempt += 1
            with self._leased() as session:
                again = utcnow() + leases.backoff(FIRST_RETRY_SECONDS, attempt)
                session.execute(held.values(since=event.place, attempt=attempt, available_at=again))
            if error := self._hand_over([event], self._observers.attempt):
                with self._leased() as session:
                    session.execute(held.values(last_error=error))
                return done, error
            attempt = 0
        with self._leased() as session:
            if len(waiting) < BATCH:
                session.execute(delete(HeldEvents).where(HeldEvents.id == held_id))
            else:
                session.execute(held.values(since=waiting[-1].place + 1, attempt=0, available_at=utcnow()))
        return len(waiting), ""

    def _follow(self, end: int) -> int:
        """Hand over what follows in the log; returns how many events are done with."""
        self._position = db.session.scalar(select(EventConsumer.position).where(EventConsumer.id == self._id)) or 0
        stretch = event_log.follow(self._position, end, self._wants, most=BATCH, look=LOOK)
        held, size = self._held_among(stretch.events), self._consumer.batch_size
        if self._was_left and stretch.events:
            size = 1
            self._suspect(stretch.events[0], held)
        self._save_after = 0 if self._was_left else SAVE_SECONDS
        self._save_at = time.monotonic() + self._save_after
        try:
            for begin in range(0, len(stretch.events), size):
                self._pass(stretch.events[begin : begin + size], held)
        except ObserverPaused:
            self._move(self._position)
            raise
        if stretch.length:
            self._move(stretch.end)
        return stretch.length

    def _suspect(self, event: Event, held: set[tuple[str, str]]) -> None:
        """Hold the next event of a consumer that a worker has left: that one may have ended it.

        Now each event is handed over alone, and its place kept: if the worker does not survive one, that is the next.
        """
        if _about(event) not in held:
            held.add(_about(event))
            self._position = event.place
            self._move(event.place, self._hold(event, "The worker that had it ended, or was killed.", attempt=0))

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
            self._move(self._position, self._hold(free[0], error, attempt=1))
        elif time.monotonic() >= self._save_at:
            self._move(self._position)
            self._save_at = time.monotonic() + self._save_after

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
                with self._observers.under_way(f"{self._consumer.name}.accepts"):
                    self._accepted[event_type] = bool(self._consumer.accepts(event_type))
            except BaseException:
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

    def _hold(self, event: Event, error: str, *, attempt: int) -> HeldEvents:
        """What waits after so many attempts that have failed."""
        about = {"consumer_id": self._id, "entity_type": event.entity_type, "entity_id": event.entity_id}
        wait = leases.backoff(FIRST_RETRY_SECONDS, attempt) if attempt else timedelta(0)
        until = utcnow() + wait
        return HeldEvents(**about, since=event.place, attempt=attempt, available_at=until, last_error=error)

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


def _due(consumer_id: Any) -> tuple[ColumnElement[bool], ...]:
    """The conditions of a consumer's held events that are to be tried again."""
    return HeldEvents.consumer_id == consumer_id, HeldEvents.available_at <= utcnow()


def _about(event: Event) -> tuple[str, str]:
    """What is held together."""
    return event.entity_type, event.entity_id
