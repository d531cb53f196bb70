"""Events as CloudEvents 1.0, the way in which they leave the product."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from bvo_hookspecs import Event

MAX_BYTES = 20_000
"""Of an event's JSON. What takes the most is left out of a longer one, and named."""
PARTS = ("entity", "previous", "metadata")


def cloud_event(event: Event, source: str, schema: str = "") -> dict[str, Any]:
    """The event. `source` is the address of this installation, `schema` that of its type's JSON Schema, if any.

    `previous` has what a change has changed, as it was.
    """
    deleted = event.after is None
    told = {
        "specversion": "1.0",
        "id": event.id,
        "source": source,
        "type": event.type,
        "subject": f"{event.entity_type}/{event.entity_id}",
        "time": event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        **({"dataschema": schema} if schema else {}),
        "data": {
            "entity": dict(event.before or {}) if deleted else dict(event.after or {}),
            "previous": None if deleted or event.before is None else dict(event.before),
            "metadata": dict(event.metadata),
            "actor": {"kind": event.actor_kind, "id": event.actor_id, "name": event.actor_name},
            "message": event.message,
            "omitted": [],
        },
    }
    _shorten(told)
    return told


def _shorten(told: dict[str, Any]) -> None:
    """Leave out the largest fields until it is short enough; `omitted` names them, e.g. `entity.result`."""
    data, excess = told["data"], size(told) - MAX_BYTES
    if excess <= 0:
        return
    fields = [(size(value), part, name) for part in PARTS for name, value in (data[part] or {}).items()]
    for taken, part, name in sorted(fields, reverse=True):
        del data[part][name]
        data["omitted"].append(f"{part}.{name}")
        excess -= taken - len(part)
        if excess <= 0:
            return


def size(value: Any) -> int:
    """The bytes that it takes as JSON."""
    return len(json.dumps(value, ensure_ascii=False).encode())


def matches(patterns: Sequence[str], event_type: str) -> bool:
    """Whether the type is one of `job.completed`, `job.*`, `*`; no pattern at all means every type."""
    entity = event_type.partition(".")[0]
    return not patterns or not {event_type, f"{entity}.*", "*"}.isdisjoint(patterns)
