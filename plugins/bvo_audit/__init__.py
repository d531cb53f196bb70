"""The audit log: a row for every change, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Iterable

from bvo_hookspecs import AuditSink, EntityType, PluginInfo, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="audit", summary="The audit log in the database", requires=("access",))


@hookimpl
def audit_sinks() -> Iterable[AuditSink]:
    from .service import record

    return [AuditSink(name="database", record=record)]


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import AUDIT_EVENT

    return [AUDIT_EVENT]
