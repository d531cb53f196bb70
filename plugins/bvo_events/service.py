"""Reading the log from a place on."""

from __future__ import annotations

from functools import partial
from typing import Any

from bvo import event_log, registry, settings
from bvo_hookspecs import Event, EventType

from . import catalogue
from .cloud_events import cloud_event, matches
from .schemas import LATEST

LOOK = 5_000
"""So many events are looked at to find those of the wanted types, before the answer says how far it got."""
SOURCE = "bv-orchestrator"
"""Where the setting `general.public_url` is empty."""


def pull(after: str, patterns: list[str], size: int) -> dict[str, Any]:
    """The first events behind a place in the log, and the place from which to go on.

    An event is there as soon as no other one can appear before it. So whoever goes on from `next` misses none.
    """
    end = event_log.horizon().look(event_log.HORIZON_SECONDS)
    start = end if after == LATEST else int(after)
    stretch = event_log.follow(start, end, partial(matches, patterns), most=size, look=LOOK)
    known = settings.public_url()
    return {
        "events": [as_told(event, known) for event in stretch.events],
        "next": str(stretch.end),
        "more": stretch.end < end,
    }


def as_told(event: Event, address: str) -> dict[str, Any]:
    """The event as it leaves the product; `address` is that of this installation."""
    declared = registry.current().get(EventType, event.type)
    schema = f"{address}{catalogue.path(declared)}" if address and declared else ""
    return cloud_event(event, address or SOURCE, schema)
