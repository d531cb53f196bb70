"""The audit trail as lines of JSON in a file, where `BVO_AUDIT_FILE` names one."""

from __future__ import annotations

from collections.abc import Iterable

from bvo_hookspecs import AuditSink, PluginInfo, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="audit_file", summary="The audit trail in a file (`BVO_AUDIT_FILE`)")


@hookimpl
def audit_sinks() -> Iterable[AuditSink]:
    from .configuration import configured

    return configured()
