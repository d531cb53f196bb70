"""Reading the log from a place on."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import current_app

from bvo import event_log, settings
from bvo.event_log import Horizon

from .cloud_events import cloud_event, matches

LATEST = "latest"
LOOK = 5_000
"""So many events are looked at to find those of the wanted types, before the answer says how far it got."""
SOURCE = "bv-orchestrator"
"""Where the setting `general.public_url` is empty."""


def pull(after: str, patterns: list[str], size: int) -> dict[str, Any]:
    """The first events behind a place in the log, and the place from which to go on.

    An event is there as soon as no other one can appear before it. So whoever goes on from `next` misses none.
    """
    end = _horizon().look(event_log.HORIZON_SECONDS)
    start = end if after == LATEST else int(after)
    stretch = event_log.follow(start, end, partial(matches, patterns), most=size, look=LOOK)
    source = str(settings.get("general.public_url") or SOURCE).rstrip("/")
    told = [cloud_event(event, source) for _, event in stretch.events]
    return {"events": told, "next": str(stretch.end), "more": stretch.end < end}


def _horizon() -> Horizon:
    """The one of this app: what one request has seen helps the next one."""
    horizon: Horizon = current_app.extensions.setdefault("bvo_events_horizon", Horizon())
    return horizon
