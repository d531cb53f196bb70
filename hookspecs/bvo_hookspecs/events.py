"""What happened, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .checks import check_name

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.orm import Session


@dataclass(frozen=True, kw_only=True)
class Event:
    """One fact, in the past tense. Secrets are masked before it is made.

    `type` is what integrators subscribe to (`asset.created`); `action` and `action_type` are the audit log's words
    for the same (`asset.create`, `created`). `id` sorts by time. `before` and `after` are what the API shows.
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


@dataclass(frozen=True, kw_only=True)
class AuditSink:
    """Where the audit trail goes. Exactly one of the three is given.

    `row` gives the SQLAlchemy table and the values of the row that the core adds in the transaction of the change
    itself: no row, no change; all columns without a default of the database's are named. `record` writes there by
    itself, which is slower: paths that run thousands of times a second then take the slow way. Only an essential plugin
    may have one of these.
    `write` is called by the worker after the commit, at least once for each event; where it raises, it is tried again.
    """

    name: str
    row: Callable[[Event], tuple[Table, Mapping[str, Any]]] | None = None
    record: Callable[[Session, Event], None] | None = None
    write: Callable[[Event], None] | None = None

    def __post_init__(self) -> None:
        check_name(self, self.name)
        if sum(way is not None for way in (self.row, self.record, self.write)) != 1:
            raise ValueError(f"AuditSink {self.name!r} needs exactly one of `row`, `record` and `write`")


@dataclass(frozen=True, kw_only=True)
class WebhookEmitter:
    """Hands events to other systems. The worker calls `deliver` after the commit, at least once for each event whose
    type `accepts` answers True for; where it raises, it is tried again later."""

    name: str
    deliver: Callable[[Event], None]
    accepts: Callable[[str], bool] = lambda event_type: True

    def __post_init__(self) -> None:
        check_name(self, self.name)
