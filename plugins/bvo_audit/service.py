"""Reading the audit log. What is in it is the core's event log, which nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bvo.entities import Page, Service
from bvo.event_log import LoggedEvent

from . import query


class AuditService(Service[LoggedEvent]):
    """Reading only: it has no operation that changes anything."""

    def page(self, arguments: Mapping[str, Any]) -> Page:
        return query.fetch_page(self.entity, arguments)
