"""What happened, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .checks import check_event_name, check_name

if TYPE_CHECKING:
    from marshmallow import Schema
    from marshmallow.fields import Field


@dataclass(frozen=True, kw_only=True)
class EventType:
    """A kind of event. What no plugin has declared can't be recorded.

    `name` is what it is about and what happened, in the past tense: `job.completed`. `help` says in a sentence when it
    happens. `schema` shows the row that it tells of, None where it tells of none; `metadata` are the fields beside it,
    each of which may be absent. `example` has what is special about the row then: `{"status": "completed"}`. `action`
    and `action_type` are the audit log's words; the first is the name where it is left out. `version` is raised when
    something is taken out of the schema, or changes its meaning.
    """

    name: str
    help: str
    schema: type[Schema] | None = None
    metadata: Mapping[str, Field[Any]] = field(default_factory=dict)
    example: Mapping[str, Any] = field(default_factory=dict)
    action: str = ""
    action_type: str = "status_changed"
    version: int = 1

    def __post_init__(self) -> None:
        check_event_name(self, self.name)
        if not self.help:
            raise ValueError(f"EventType {self.name!r} needs a help text")


@dataclass(frozen=True, kw_only=True)
class Event:
    """One fact, in the past tense. Secrets are masked before it is made.

    `type` is what integrators subscribe to (`asset.created`); `action` and `action_type` are the audit log's words
    for the same (`asset.create`, `created`). `id` sorts by time. `after` is what the API shows; `before` is that, too,
    where something was deleted. Of a change it has the fields that changed, as they were. `place` is its number in the
    event log, 0 as long as it is not read from there.
    """

    id: str
    type: str
    action: str
    action_type: str
    occurred_at: datetime
    actor_kind: str
    actor_id: int | None
    actor_name: str
    entity_type: str
    entity_label: str
    entity_id: str
    entity_name: str
    message: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    ip_address: str | None = None
    user_agent: str | None = None
    place: int = field(default=0, compare=False)


MOST_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class AuditSink:
    """Another place where the audit trail goes, beside the event log in the database.

    The worker calls `write` after the commit with up to `batch_size` events, in their order, at least once for each.
    Where it raises, it gets them again: at once one by one, if they were several, and what fails alone later.
    """

    name: str
    write: Callable[[Sequence[Event]], None]
    batch_size: int = 1

    def __post_init__(self) -> None:
        check_name(self, self.name)
        _check_batch_size(self)


@dataclass(frozen=True, kw_only=True)
class WebhookEmitter:
    """Hands events to other systems.

    The worker calls `deliver` after the commit with up to `batch_size` events whose types `accepts` answers True for,
    in their order, at least once for each. Where it raises, it gets them again: at once one by one, if they were
    several, and what fails alone later. Until then, it gets no other event of the same entity.
    """

    name: str
    deliver: Callable[[Sequence[Event]], None]
    accepts: Callable[[str], bool] = lambda event_type: True
    batch_size: int = 1

    def __post_init__(self) -> None:
        check_name(self, self.name)
        _check_batch_size(self)


def _check_batch_size(record: AuditSink | WebhookEmitter) -> None:
    if not 1 <= record.batch_size <= MOST_AT_ONCE:
        raise ValueError(
            f"{type(record).__name__} {record.name!r}: `batch_size` is {record.batch_size}, not 1 to {MOST_AT_ONCE}"
        )
