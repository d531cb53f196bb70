"""Robots: the runners that claim jobs, known by their tokens."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from bvo_hookspecs import (
    AlertCondition,
    AuthProvider,
    DashboardCard,
    DetailPanel,
    EntityType,
    EventType,
    PeriodicTask,
    PluginInfo,
    Setting,
    SettingsGroup,
    hookimpl,
)


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="robots", summary="Runner agents and their tokens", requires=("machines", "settings"))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import ROBOT

    return [ROBOT]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def auth_providers() -> Iterable[AuthProvider]:
    from .service import authenticate

    return [AuthProvider(name="robot_token", authenticate=authenticate)]


@hookimpl
def alert_conditions() -> Iterable[AlertCondition]:
    from .alerts import CONDITION

    return [CONDITION]


@hookimpl
def periodic_tasks() -> Iterable[PeriodicTask]:
    from .service import hear_anew, mark_offline

    every = timedelta(seconds=5)
    return [PeriodicTask(name="mark_robots_offline", every=every, run=mark_offline, after_jump=hear_anew)]


@hookimpl
def settings_groups() -> Iterable[SettingsGroup]:
    from marshmallow import fields, validate

    offline = Setting(
        name="robot_offline_seconds",
        field=fields.Integer(strict=True, validate=validate.Range(15, 3600)),
        default=60,
        unit="seconds",
        help="A robot that was not heard of for this long counts as offline.",
    )
    return [SettingsGroup(name="jobs", label="Jobs", settings=(offline,))]


@hookimpl
def dashboard_cards() -> Iterable[DashboardCard]:
    from .service import fleet

    return [
        DashboardCard(
            name="fleet",
            title="Robots",
            template="bvo_robots/fleet_card.html",
            context=fleet,
            permission="robots:view",
            order=20,
        )
    ]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS
