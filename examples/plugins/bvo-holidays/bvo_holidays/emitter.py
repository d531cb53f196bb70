"""Tells other programs of the machine what changed: one line of JSON for each event."""

from __future__ import annotations

import json

from bvo import registry
from bvo_hookspecs import Event


def accepts(event_type: str) -> bool:
    return event_type.startswith("holiday.")


def deliver(event: Event) -> None:
    """Append the event. It may come twice: readers drop an `id` that they know."""
    line = {"id": event.id, "type": event.type, "holiday": event.after or event.before}
    path = registry.current().config.data_dir / "holidays-events.jsonl"
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
