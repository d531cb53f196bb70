"""Cards and panels of the plugins. They only watch: one that fails is left out, and the page comes up without it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import current_app, render_template
from markupsafe import Markup

from bvo import access, registry
from bvo.database import db
from bvo.observers import ObserverFailed, Observers
from bvo.plugins import Plugin
from bvo_hookspecs import DashboardCard, DetailPanel, EntityType

LIVE, HIDDEN = "live", "hidden"
"""A page asks again every two seconds while a panel's context has `live=True`; one with `hidden=True` is not shown."""


@dataclass(frozen=True)
class Part:
    """A rendered card or panel."""

    name: str
    title: str
    body: Markup
    live: bool = False
    covers: tuple[str, ...] = ()
    refresh: bool = True

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


def panels(entity: EntityType, row_id: int, *, again: bool = False) -> list[Part]:
    """The panels of a row's page; where it asks `again`, those that refresh."""
    wanted = [pair for pair in _offered(entity) if pair[1].refresh or not again]
    rendered = (_render(plugin, panel, lambda: panel.context(row_id)) for plugin, panel in wanted)  # noqa: B023
    return [part for part in rendered if part]


def _offered(entity: EntityType) -> list[tuple[Plugin, DetailPanel]]:
    """The panels of the type that the principal may see, in order; those of one order as their plugins come."""
    can = access.principal().can
    mine = [pair for pair in registry.current().every(DetailPanel) if pair[1].entity_type == entity.name]
    allowed = [pair for pair in mine if not pair[1].permission or can(pair[1].permission)]
    return sorted(allowed, key=lambda pair: pair[1].order)


def _render(
    plugin: Plugin, record: DashboardCard | DetailPanel, context: Callable[[], Mapping[str, Any]]
) -> Part | None:
    def build() -> Part:
        values = context()
        text = "" if values.get(HIDDEN) else render_template(record.template, **values)
        part = Part(record.name, record.title, Markup(text), values.get(LIVE) is True)  # noqa: S704 - a template's own output
        if isinstance(record, DetailPanel):
            return replace(part, covers=record.covers if text else (), refresh=record.refresh)
        return part

    observers: Observers = current_app.extensions["bvo_webui_observers"]
    try:
        part: Part = observers.call(plugin.info, record.name, build)
    except ObserverFailed:
        db.session.rollback()  # what failed may have been a query, and would fail those that follow
        return None
    return part
