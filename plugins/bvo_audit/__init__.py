"""The audit log: what the event log tells, for people to read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from bvo_hookspecs import (
    DashboardCard,
    DetailPanel,
    EntityType,
    PeriodicTask,
    PluginInfo,
    SettingsGroup,
    hookimpl,
)


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="audit", summary="The audit log, for people to read", requires=("access",))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import AUDIT_EVENT

    return [AUDIT_EVENT]


@hookimpl
def settings_groups() -> Iterable[SettingsGroup]:
    from .retention import GROUP

    return [GROUP]


@hookimpl
def periodic_tasks() -> Iterable[PeriodicTask]:
    from .retention import prune

    return [PeriodicTask(name="prune_audit_log", every=timedelta(minutes=1), run=prune)]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS


@hookimpl
def dashboard_cards() -> Iterable[DashboardCard]:
    from .cards import CARD

    return [CARD]
