"""Tells other programs of the machine what changed: one line of JSON for each event."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bvo import registry
from bvo_hookspecs import Event


def accepts(event_type: str) -> bool:
    return event_type.startswith("holiday.")


def deliver(events: Sequence[Event]) -> None:
    """Append each event. It may come twice: readers drop an `id` that they know."""
    path = registry.current().config.data_dir / "holidays-events.jsonl"
    with path.open("a", encoding="utf-8") as file:
        for event in events:
            line = {"id": event.id, "type": event.type, "holiday": event.after or event.before}
            file.write(json.dumps(line) + "\n")
