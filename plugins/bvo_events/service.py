"""Reading the log from a place on."""

from __future__ import annotations

from typing import Any

from flask import current_app
from sqlalchemy import select

from bvo import event_log, settings
from bvo.database import db
from bvo.event_log import Horizon, LoggedEvent

from .cloud_events import cloud_event, matches

LATEST = "latest"
LOOK = 5_000
"""So many events are looked at to find those of the wanted types, before the answer says how far it got."""
HORIZON_SECONDS = 0.1
"""So long a reader waits for transactions to end that may have older events."""
SOURCE = "bv-orchestrator"
"""Where the setting `general.public_url` is empty."""


def pull(after: str, patterns: list[str], size: int) -> dict[str, Any]:
    """The first events behind a place in the log, and the place from which to go on.

    An event is there as soon as no other one can appear before it. So whoever goes on from `next` misses none.
    """
    end = _horizon().look(HORIZON_SECONDS)
    start = end if after == LATEST else int(after)
    look = select(LoggedEvent.id, LoggedEvent.type).where(LoggedEvent.id > start, LoggedEvent.id <= end)
    seen = db.session.execute(look.order_by(LoggedEvent.id).limit(LOOK)).all()
    wanted = [row.id for row in seen if matches(patterns, row.type)]
    last = seen[-1].id if seen else start
    following = wanted[size - 1] if len(wanted) > size else last
    source = str(settings.get("general.public_url") or SOURCE).rstrip("/")
    told = [cloud_event(event, source) for _, event in event_log.read(LoggedEvent.id.in_(wanted[:size]), limit=size)]
    return {"events": told, "next": str(following), "more": following < end}


def _horizon() -> Horizon:
    """The one of this app: what one request has seen helps the next one."""
    horizon: Horizon = current_app.extensions.setdefault("bvo_events_horizon", Horizon())
    return horizon
