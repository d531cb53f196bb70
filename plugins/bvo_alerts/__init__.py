"""Alerts: rules that watch what plugins offer, and events that tell when something is wrong and when it is right."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from bvo_hookspecs import (
    AlertCondition,
    DashboardCard,
    DetailPanel,
    EntityType,
    EventType,
    PeriodicTask,
    PluginInfo,
    SettingsGroup,
    hookimpl,
)


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="alerts", summary="Rules that tell when something is wrong", requires=("settings",))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import ALERT, ALERT_RULE

    return [ALERT, ALERT_RULE]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def settings_groups() -> Iterable[SettingsGroup]:
    from .retention import GROUP

    return [GROUP]


@hookimpl
def periodic_tasks() -> Iterable[PeriodicTask]:
    from . import evaluation, retention

    return [
        PeriodicTask(
            name="evaluate_alert_rules",
            every=timedelta(seconds=5),
            run=evaluation.evaluate,
            after_jump=evaluation.wait_for_others,
            calls=AlertCondition,
        ),
        PeriodicTask(name="prune_alerts", every=timedelta(minutes=10), run=retention.prune),
    ]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS


@hookimpl
def dashboard_cards() -> Iterable[DashboardCard]:
    from .panels import CARD

    return [CARD]
