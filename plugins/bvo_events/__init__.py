"""The event log for programs: they read it at their own pace, and miss nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import Artifact, NavItem, PluginInfo, hookimpl

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(
        name="events",
        summary="The event log for programs, and the catalogue of what may happen",
        requires=("settings",),
    )


@hookimpl
def artifacts() -> Iterable[Artifact]:
    return [Artifact(name="events", label="Event log")]


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .api import blueprint
    from .pages import pages

    return [blueprint, pages]


@hookimpl
def navigation() -> Iterable[NavItem]:
    return [NavItem(name="event_types", label="Event types", order=91, url="/ui/event-types", permission="events:view")]
