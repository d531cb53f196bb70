"""Denied actions: every 403 of somebody who is known is an event, `access.denied`.

Who is not known leaves none: a 401 tells of no one, and neither does a form that another site sent (CSRF). A client
that repeats what it may not do leaves one event a minute for each method, route and permission, by each web process.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Hashable
from typing import TypeVar

from flask import Flask, current_app, request
from werkzeug.exceptions import HTTPException

from bvo_hookspecs import EntityType, Principal

from . import access, events, registry

log = logging.getLogger(__name__)

SECONDS = 60.0
MAX_KEPT = 10_000
MAX_REASON = 500
"""Characters of the refusal's words that are kept."""


RECORDED = "bvo_recorded"
E = TypeVar("E", bound=HTTPException)


class Recent:
    """What was added within the last SECONDS; of more than MAX_KEPT, the oldest are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._added: dict[Hashable, float] = {}

    def add(self, key: Hashable) -> bool:
        """Add `key`; False where it is there already."""
        with self._lock:
            while self._added and self._oldest() <= self._clock() - SECONDS:
                self._added.pop(next(iter(self._added)))
            if key in self._added:
                return False
            if len(self._added) >= MAX_KEPT:
                self._added.pop(next(iter(self._added)))
            self._added[key] = self._clock()
            return True

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._added.pop(key, None)

    def _oldest(self) -> float:
        return next(iter(self._added.values()))


def init_app(app: Flask) -> None:
    app.extensions["bvo_denials"] = Recent()


def record(error: HTTPException) -> None:
    """Record that this request was denied, in a transaction of its own. Where that fails, the answer is the same."""
    actor = access.principal()
    if actor == access.ANONYMOUS or request.url_rule is None or getattr(error, RECORDED, False):
        return
    route = re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", request.url_rule.rule)
    declared = access.declared(current_app, request.url_rule.endpoint)
    permission: str | None = getattr(error, "permission", declared.permission if declared else None)
    recent: Recent = current_app.extensions["bvo_denials"]
    key = (actor.kind, actor.id, actor.name, request.method, route, permission)
    if not recent.add(key):
        return
    try:
        _record(actor, route, permission, str(error.description)[:MAX_REASON])
    except Exception:
        recent.forget(key)
        log.exception("It could not be recorded that %s %s was denied %s", actor.kind, actor.name, route)


def recorded(error: E) -> E:
    """The same error, marked: whoever raises it has recorded it in words of their own."""
    setattr(error, RECORDED, True)
    return error


def _record(actor: Principal, route: str, permission: str | None, reason: str) -> None:
    artifact = (permission or "").partition(":")[0]
    entity = next((kind for kind in registry.current().of(EntityType).values() if kind.plural == artifact), None)
    what = f"{request.method} {route}"
    events.record(
        type="access.denied",
        entity_type=entity.name if entity else artifact or "route",
        entity_label=registry.current().artifacts().get(artifact, "Route"),
        entity_id=str((request.view_args or {}).get("row_id", "")) if entity else "",
        entity_name=what,
        message=f"{actor.kind.title()} {actor.name} was denied {what}. {reason}",
        metadata={"method": request.method, "route": route, "permission": permission},
    )
