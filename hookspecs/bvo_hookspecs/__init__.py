"""The contract of BV Orchestrator: every hook, and every record that crosses it.

A plugin imports this package and nothing else to register. It imports nothing of ours at run time, so a plugin's
entry module stays light: `bvo --version` and `bvo runner` never load Flask or SQLAlchemy.
"""

from __future__ import annotations

import pluggy

from .alerts import AlertCondition, Finding
from .commands import CliCommand
from .entities import Action, EntityType, Filter
from .events import AuditSink, Event, EventType, WebhookEmitter
from .identity import Artifact, AuthProvider, Principal, PrincipalKind
from .operations import AsgiMiddleware, HealthCheck, PeriodicTask, Seed, StartCheck
from .pages import DashboardCard, DetailPanel, NavItem
from .plugin import PluginInfo
from .settings import Setting, SettingsGroup
from .storage import DamagedBlob, EncryptedColumn, PackageStore, Store, StoredBlobs

hookimpl = pluggy.HookimplMarker("bvo")

__all__ = [
    "Action",
    "AlertCondition",
    "Artifact",
    "AsgiMiddleware",
    "AuditSink",
    "AuthProvider",
    "CliCommand",
    "DamagedBlob",
    "DashboardCard",
    "DetailPanel",
    "EncryptedColumn",
    "EntityType",
    "Event",
    "EventType",
    "Filter",
    "Finding",
    "HealthCheck",
    "NavItem",
    "PackageStore",
    "PeriodicTask",
    "PluginInfo",
    "Principal",
    "PrincipalKind",
    "Seed",
    "Setting",
    "SettingsGroup",
    "StartCheck",
    "Store",
    "StoredBlobs",
    "WebhookEmitter",
    "hookimpl",
]
