"""The consumers of the event log: each emitter and each external audit sink, and how far each of them is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from bvo_hookspecs import AuditSink, Event, PluginInfo, WebhookEmitter

from . import leases, registry
from .database import Base, BigId, db, transaction
from .event_log import LoggedEvent


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
class Consumer:
    """An emitter or a sink, as delivery sees it."""

    name: str
    plugin: PluginInfo
    take: Callable[[Sequence[Event]], None]
    accepts: Callable[[str], bool]
    batch_size: int


def enroll() -> None:
    """Give each consumer that is here for the first time its place: the end of the log. Servers do it as they start."""
    everyone = present()
    known = _places(everyone)
    for name in (consumer.name for consumer in everyone if consumer.name not in known):
        with suppress(IntegrityError), transaction() as session:  # another server may have done it at the same time
            end = session.scalar(select(func.coalesce(func.max(LoggedEvent.id), 0)))
            session.add(EventConsumer(name=name, position=end))


def needed_from() -> int | None:
    """The place of the oldest event that a consumer has not had; None where nothing is delivered to anybody."""
    known = _places(present())
    if not known:
        return None
    ids = [row_id for row_id, _ in known.values()]
    held = db.session.scalar(select(func.min(HeldEvents.since)).where(HeldEvents.consumer_id.in_(ids)))
    following = min(position for _, position in known.values()) + 1
    return following if held is None else min(held, following)


def waiting() -> dict[str, Waiting]:
    """What waits for a consumer that fails, by the name of its plugin."""
    plugins = {consumer.name: consumer.plugin.name for consumer in present()}
    each = select(EventConsumer.name, func.count(), func.max(HeldEvents.last_error)).join(HeldEvents)
    rows = db.session.execute(each.where(EventConsumer.name.in_(plugins)).group_by(EventConsumer.name))
    return {plugins[name]: Waiting(things, error) for name, things, error in rows}


def present() -> list[Consumer]:
    """Those of the loaded plugins."""
    known = registry.current()
    sinks = [
        Consumer(f"sink:{sink.name}", plugin.info, sink.write, lambda event_type: True, sink.batch_size)
        for plugin, sink in known.every(AuditSink)
    ]
    emitters = [
        Consumer(f"emitter:{emitter.name}", plugin.info, emitter.deliver, emitter.accepts, emitter.batch_size)
        for plugin, emitter in known.every(WebhookEmitter)
    ]
    return sinks + emitters


def _places(consumers: Sequence[Consumer]) -> dict[str, tuple[int, int]]:
    """The ids and positions of those that are enrolled, by name."""
    names = [consumer.name for consumer in consumers]
    wanted = select(EventConsumer.name, EventConsumer.id, EventConsumer.position).where(EventConsumer.name.in_(names))
    return {name: (row_id, position) for name, row_id, position in db.session.execute(wanted)}
