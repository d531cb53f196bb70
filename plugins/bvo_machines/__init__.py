"""Machines: where robots run, and the keys that let robots in."""

from __future__ import annotations

from collections.abc import Iterable

from bvo_hookspecs import EntityType, EventType, PluginInfo, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="machines", summary="Hosts of robots, and their keys", requires=("access",))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import MACHINE

    return [MACHINE]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES
