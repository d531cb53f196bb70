"""Everything the plugins of one app contributed, by kind and name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from flask import Blueprint, Flask, current_app

import bvo_hookspecs as hooks

from . import event_types
from .config import Config
from .errors import StartupError
from .plugins import CORE, Plugin, Plugins

RECORDS: dict[str, type[Any]] = {
    "entity_types": hooks.EntityType,
    "event_types": hooks.EventType,
    "blueprints": Blueprint,
    "artifacts": hooks.Artifact,
    "settings_groups": hooks.SettingsGroup,
    "encrypted_columns": hooks.EncryptedColumn,
    "seeds": hooks.Seed,
    "auth_providers": hooks.AuthProvider,
    "audit_sinks": hooks.AuditSink,
    "package_stores": hooks.PackageStore,
    "stored_blobs": hooks.StoredBlobs,
    "webhook_emitters": hooks.WebhookEmitter,
    "alert_conditions": hooks.AlertCondition,
    "periodic_tasks": hooks.PeriodicTask,
    "health_checks": hooks.HealthCheck,
    "start_checks": hooks.StartCheck,
    "asgi_middlewares": hooks.AsgiMiddleware,
    "navigation": hooks.NavItem,
    "detail_panels": hooks.DetailPanel,
    "dashboard_cards": hooks.DashboardCard,
}
"""Which record each hook returns. `cli_commands` is read by the CLI alone, before any app exists."""

MERGED = (hooks.SettingsGroup,)
"""Kinds of which several plugins may give records of one name."""

R = TypeVar("R")
S = TypeVar("S")


@dataclass
class Registry:
    """The contributions of the loaded plugins; `current()` is that of the running app."""

    config: Config
    plugins: Plugins
    records: dict[type[Any], dict[str, list[tuple[Plugin, Any]]]] = field(default_factory=dict)
    services: dict[type[Any], Any] = field(default_factory=dict)

    def of(self, kind: type[R]) -> Mapping[str, R]:
        """The records of one kind by name, in the order of their plugins; of a merged kind, the first of each name."""
        return {name: cast(R, owned[0][1]) for name, owned in self.records.get(kind, {}).items()}

    def get(self, kind: type[R], name: str) -> R | None:
        """The record of this name, of a merged kind the first; None where no plugin gives one."""
        owned = self.records.get(kind, {}).get(name)
        return cast(R, owned[0][1]) if owned else None

    def every(self, kind: type[R]) -> list[tuple[Plugin, R]]:
        """The records of one kind with the plugins that gave them."""
        return [pair for owned in self.records.get(kind, {}).values() for pair in owned]

    def service(self, kind: type[S]) -> S:
        """The one instance of an entity type's service class. Raises LookupError where its plugin is not loaded."""
        return cast(S, self.services[kind])

    def service_of(self, entity_type: str) -> Any | None:
        """The service of an entity type by its name; None where its plugin is not loaded. For what is optional."""
        entity = self.get(hooks.EntityType, entity_type)
        return None if entity is None else self.services[entity.service]

    def artifacts(self) -> dict[str, str]:
        """The rows of the permission matrix: name to label."""
        entities = {entity.plural: entity.label for entity in self.of(hooks.EntityType).values()}
        return {artifact.name: artifact.label for artifact in self.of(hooks.Artifact).values()} | entities


def build(config: Config, plugins: Plugins) -> Registry:
    """Ask every plugin for every record. Raises StartupError for two records of one name, and names both plugins."""
    registry = Registry(config=config, plugins=plugins)
    for event_type in event_types.CORE:
        _add(registry, CORE, hooks.EventType, event_type)
    for plugin in list(plugins):
        _collect(registry, plugin)
        plugins.skip_dependents()
    return registry


def current() -> Registry:
    """The registry of the running app."""
    return cast(Registry, current_app.extensions["bvo"])


def init_app(app: Flask, registry: Registry) -> None:
    app.extensions["bvo"] = registry


def _collect(registry: Registry, plugin: Plugin) -> None:
    contributed = {kind: registry.plugins.call(plugin, hook) for hook, kind in RECORDS.items()}
    try:
        for kind, records in contributed.items():
            _check_kind(plugin, kind, records)
        registry.services |= _services(registry, contributed[hooks.EntityType])
        contributed[hooks.EventType] += event_types.derived(contributed[hooks.EntityType], contributed[hooks.EventType])
    except BaseException as error:
        registry.plugins.fail(plugin, error)
    if plugin.state != "loaded":
        return
    for kind, records in contributed.items():
        for record in records:
            _add(registry, plugin, kind, record)


def _check_kind(plugin: Plugin, kind: type[Any], records: list[Any]) -> None:
    for record in records:
        if not isinstance(record, kind):
            raise TypeError(f"a hook of {plugin.package} returned {record!r} where a {kind.__name__} belongs")


def _services(registry: Registry, entities: list[hooks.EntityType]) -> dict[type[Any], Any]:
    services: dict[type[Any], Any] = {}
    for entity in entities:
        if entity.service in registry.services.keys() | services.keys():
            raise TypeError(f"EntityType {entity.name!r}: another one has the same service class; give it a subclass")
        services[entity.service] = entity.service(entity)
    return services


def _add(registry: Registry, plugin: Plugin, kind: type[Any], record: Any) -> None:
    owned = registry.records.setdefault(kind, {}).setdefault(record.name, [])
    for other, present in owned:
        if kind not in MERGED:
            _refuse(kind, record.name, other, plugin)
        for name in {setting.name for setting in present.settings} & {setting.name for setting in record.settings}:
            _refuse(hooks.Setting, f"{record.name}.{name}", other, plugin)
    owned.append((plugin, record))


def _refuse(kind: type[Any], name: str, first: Plugin, second: Plugin) -> None:
    raise StartupError(
        f"Two plugins give a {kind.__name__} named {name!r}: {first.name} ({first.package}) and"
        f" {second.name} ({second.package}). Disable one of them with BVO_DISABLED_PLUGINS."
    )
