"""The audit trail to a syslog server, where `BVO_SYSLOG_URL` names one."""

from __future__ import annotations

from collections.abc import Iterable

from bvo_hookspecs import AuditSink, PluginInfo, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="syslog", summary="The audit trail to a syslog server (`BVO_SYSLOG_URL`)")


@hookimpl
def audit_sinks() -> Iterable[AuditSink]:
    from .configuration import configured

    return configured()
