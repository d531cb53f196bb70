"""Processes: what a package's script is for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import DetailPanel, EntityType, EventType, PluginInfo, hookimpl

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="processes", summary="Definitions of automations on packages", requires=("packages",))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import PROCESS

    return [PROCESS]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .api import blueprint
    from .pages import pages

    return [blueprint, pages]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS
