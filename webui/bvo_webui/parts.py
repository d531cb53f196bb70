"""Cards and panels of the plugins. They only watch: one that fails is left out, and the page comes up without it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import current_app, render_template
from markupsafe import Markup

from bvo import access, registry
from bvo.database import db
from bvo.observers import ObserverFailed, Observers
from bvo.plugins import Plugin
from bvo_hookspecs import DashboardCard, DetailPanel, EntityType

LIVE = "live"
"""A panel whose context has this set to True is asked again every two seconds, until it is not."""


@dataclass(frozen=True)
class Part:
    """A rendered card or panel."""

    name: str
    title: str
    body: Markup
    live: bool = False

    @property
    def etag(self) -> str:
        return etag(f"{self.live}{self.body}")


def etag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cards() -> list[Part]:
    """The dashboard's cards that the principal may see, in order."""
    offered = sorted(registry.current().every(DashboardCard), key=lambda pair: (pair[1].order, pair[1].name))
    rendered = (
        _render(plugin, card, card.context) for plugin, card in offered if access.principal().can(card.permission)
    )
    return [part for part in rendered if part]


def panels(entity: EntityType, row_id: int) -> list[Part]:
    """The panels of a row's page."""
    rendered = (_render(plugin, panel, lambda: panel.context(row_id)) for plugin, panel in _offered(entity))  # noqa: B023
    return [part for part in rendered if part]


def panel(entity: EntityType, row_id: int, name: str) -> Part | None:
    """One panel; None where it fails. Raises LookupError where there is none of that name."""
    for plugin, record in _offered(entity):
        if record.name == name:
            return _render(plugin, record, lambda: record.context(row_id))  # noqa: B023
    raise LookupError(name)


def _offered(entity: EntityType) -> list[tuple[Plugin, DetailPanel]]:
    return [pair for pair in registry.current().every(DetailPanel) if pair[1].entity_type == entity.name]


def _render(
    plugin: Plugin, record: DashboardCard | DetailPanel, context: Callable[[], Mapping[str, Any]]
) -> Part | None:
    def build() -> Part:
        values = context()
        body = Markup(render_template(record.template, **values))  # noqa: S704 - a template's own output
        return Part(record.name, record.title, body, values.get(LIVE) is True)

    observers: Observers = current_app.extensions["bvo_webui_observers"]
    try:
        part: Part = observers.call(plugin.info, record.name, build)
    except ObserverFailed:
        db.session.rollback()  # what failed may have been a query, and would fail those that follow
        return None
    return part
