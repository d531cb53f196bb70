"""Queues: work items that wait for whoever processes them."""

from __future__ import annotations

from collections.abc import Iterable

from bvo_hookspecs import EntityType, PluginInfo, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="queues", summary="Work queues and their items", requires=("jobs", "robots"))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import QUEUE, QUEUE_ITEM

    return [QUEUE, QUEUE_ITEM]
