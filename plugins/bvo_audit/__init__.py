"""The audit log: what the event log tells, for people to read, and sealed so that a change of it is found."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from bvo_hookspecs import (
    CliCommand,
    DashboardCard,
    DetailPanel,
    EncryptedColumn,
    EntityType,
    EventType,
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
def event_types() -> Iterable[EventType]:
    from .sealing import SEALED

    return [SEALED]


@hookimpl
def settings_groups() -> Iterable[SettingsGroup]:
    from .retention import GROUP

    return [GROUP]


@hookimpl
def periodic_tasks() -> Iterable[PeriodicTask]:
    from .retention import prune
    from .sealing import seal

    return [
        PeriodicTask(name="seal_audit_log", every=timedelta(minutes=1), run=seal),
        PeriodicTask(name="prune_audit_log", every=timedelta(minutes=1), run=prune),
    ]


@hookimpl
def encrypted_columns() -> Iterable[EncryptedColumn]:
    from .models import AuditKey

    return [EncryptedColumn(name="audit_key", model=AuditKey, column="private_key")]


@hookimpl
def cli_commands() -> Iterable[CliCommand]:
    return [CliCommand(name="audit", target="bvo_audit.commands:audit", help="Check and export the audit log.")]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS


@hookimpl
def dashboard_cards() -> Iterable[DashboardCard]:
    from .cards import CARD

    return [CARD]
