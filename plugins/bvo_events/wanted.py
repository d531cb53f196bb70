"""Who is told of what: patterns of event types, and filters on the row that an event tells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bvo_hookspecs import Event

from .cloud_events import matches


def fits(event_types: Sequence[str], filters: Mapping[str, Any], event: Event) -> bool:
    """Whether the event is of one of these types, and its row has, for each filter, the value or one of the values."""
    row = event.after if event.after is not None else event.before or {}
    return matches(event_types, event.type) and all(
        _value(row, path) in (wanted if isinstance(wanted, list) else [wanted]) for path, wanted in filters.items()
    )


def _value(row: Any, path: str) -> Any:
    """What stands at `process.name`; None where nothing does."""
    for name in path.split("."):
        row = row.get(name) if isinstance(row, Mapping) else None
    return row
