"""Queues: work items that wait for whoever processes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from bvo_hookspecs import (
    AlertCondition,
    DashboardCard,
    DetailPanel,
    EntityType,
    EventType,
    PeriodicTask,
    PluginInfo,
    hookimpl,
)

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="queues", summary="Work queues and their items", requires=("jobs", "robots"))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import QUEUE, QUEUE_ITEM

    return [QUEUE, QUEUE_ITEM]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .api import bulk, jobs
    from .pages import pages

    return [bulk, jobs, pages]


@hookimpl
def alert_conditions() -> Iterable[AlertCondition]:
    from .alerts import CONDITION

    return [CONDITION]


@hookimpl
def periodic_tasks() -> Iterable[PeriodicTask]:
    from .watchdog import count_anew, sweep

    return [PeriodicTask(name="sweep_queue_items", every=timedelta(seconds=1), run=sweep, after_jump=count_anew)]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS


@hookimpl
def dashboard_cards() -> Iterable[DashboardCard]:
    from .cards import CARD

    return [CARD]
