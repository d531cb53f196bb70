"""What the audit log tells of one row: for pages that say who did what, and when."""

from __future__ import annotations

from typing import Any

from bvo_hookspecs import EntityType

from . import access, registry
from .entities import fetch_page

LOG = "audit_event"
MAX_EVENTS = 100


def of(entity_type: str, row_id: int) -> list[Any]:
    """The latest events of a row, oldest first: rows of the audit log, with `action`, `timestamp`, `actor_username`, …

    None of them for those who may not read the log.
    """
    log = registry.current().of(EntityType).get(LOG)
    if log is None or not access.principal().can(f"{log.plural}:view"):
        return []
    wanted = {"entity_type": entity_type, "entity_id": str(row_id), "page_size": MAX_EVENTS}
    return fetch_page(log, wanted).rows[::-1]
