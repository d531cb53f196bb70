"""Processes: what a package's script is for."""

from __future__ import annotations

from collections.abc import Iterable

from bvo_hookspecs import EntityType, PluginInfo, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="processes", summary="Definitions of automations on packages", requires=("packages",))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import PROCESS

    return [PROCESS]
