"""Every hook of the product, grouped by topic.

All hooks work alike: a plugin returns records, and the core owns the loop, the order (that of `requires`) and the
errors. They are called once, when the app is built; `cli_commands` when the `bvo` program starts. A hook that
raises, or returns something else than its records, stops the start if its plugin is built in; a third-party plugin is
named and skipped. Two records of one name stop the start, and both providers are named.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from flask import Blueprint

    from . import (
        AlertCondition,
        Artifact,
        AsgiMiddleware,
        AuditSink,
        AuthProvider,
        CliCommand,
        DashboardCard,
        DetailPanel,
        EncryptedColumn,
        EntityType,
        EventType,
        HealthCheck,
        NavItem,
        PackageStore,
        PeriodicTask,
        PluginInfo,
        Seed,
        SettingsGroup,
        StartCheck,
        StoredBlobs,
        WebhookEmitter,
    )

hookspec = pluggy.HookspecMarker("bvo")


# --- the plugin itself


@hookspec
def plugin_info() -> PluginInfo:  # type: ignore[empty-body]
    """Name the plugin and what it requires. The one hook that every plugin must have."""


# --- domains


@hookspec
def entity_types() -> Iterable[EntityType]:  # type: ignore[empty-body]
    """Declare entity types: REST routes, permissions, audit, events, list and detail pages follow from each."""


@hookspec
def event_types() -> Iterable[EventType]:  # type: ignore[empty-body]
    """Declare what happens beyond `created`, `updated` and `deleted`, which follow from entity types."""


@hookspec
def blueprints() -> Iterable[Blueprint]:  # type: ignore[empty-body]
    """Add routes that no entity type gives: flask-smorest blueprints (documented in OpenAPI) or Flask's (pages).

    Each view declares its access with `bvo.access.requires` or `bvo.access.public`; an undeclared one stops the start.
    """


@hookspec
def artifacts() -> Iterable[Artifact]:  # type: ignore[empty-body]
    """Add rows to the permission matrix beyond those that entity types give."""


@hookspec
def settings_groups() -> Iterable[SettingsGroup]:  # type: ignore[empty-body]
    """Add settings that operators may change while the server runs; read them with `bvo.settings.get`."""


@hookspec
def seeds() -> Iterable[Seed]:  # type: ignore[empty-body]
    """Add rows that must exist after every migration."""


@hookspec
def encrypted_columns() -> Iterable[EncryptedColumn]:  # type: ignore[empty-body]
    """Name the columns that hold secrets, so that their key can be changed."""


# --- the five kinds of exchangeable parts (entity types are the first)


@hookspec
def auth_providers() -> Iterable[AuthProvider]:  # type: ignore[empty-body]
    """Add ways to prove who one is. Deciders: one that raises is logged and grants nothing."""


@hookspec
def audit_sinks() -> Iterable[AuditSink]:  # type: ignore[empty-body]
    """Add places that the audit trail goes to, beside the event log. Observers: a failing one is tried again later."""


@hookspec
def package_stores() -> Iterable[PackageStore]:  # type: ignore[empty-body]
    """Add kinds of stores for packages and artifacts; `BVO_PACKAGE_STORE` chooses one by name."""


@hookspec
def stored_blobs() -> Iterable[StoredBlobs]:  # type: ignore[empty-body]
    """Name the tables whose rows have a blob in the store, so that it can be moved to another one."""


@hookspec
def webhook_emitters() -> Iterable[WebhookEmitter]:  # type: ignore[empty-body]
    """Add ways to hand events to other systems. Observers: a failing one is tried again and slows nobody."""


@hookspec
def alert_conditions() -> Iterable[AlertCondition]:  # type: ignore[empty-body]
    """Add what the rules of alerts may watch. Observers: where one fails, its alerts stay as they are."""


# --- operation


@hookspec
def periodic_tasks() -> Iterable[PeriodicTask]:  # type: ignore[empty-body]
    """Add work that the background worker repeats. Observers: an error is logged with the plugin's name."""


@hookspec
def health_checks() -> Iterable[HealthCheck]:  # type: ignore[empty-body]
    """Add parts to `GET /healthz`. A check that raises makes the answer 503 and gives its name."""


@hookspec
def start_checks() -> Iterable[StartCheck]:  # type: ignore[empty-body]
    """Add conditions for listening, e.g. no well-known password on a public address. Raising stops the start."""


@hookspec
def asgi_middlewares() -> Iterable[AsgiMiddleware]:  # type: ignore[empty-body]
    """Stand ahead of Flask under `bvo serve`, for the few requests that come thousands of times a second."""


@hookspec
def cli_commands() -> Iterable[CliCommand]:  # type: ignore[empty-body]
    """Add commands to the `bvo` program; each is imported only when it is called."""


# --- web UI


@hookspec
def navigation() -> Iterable[NavItem]:  # type: ignore[empty-body]
    """Add entries to the main navigation beyond those of entity types."""


@hookspec
def detail_panels() -> Iterable[DetailPanel]:  # type: ignore[empty-body]
    """Add panels to the detail page of an entity type, also another plugin's. Observers: a failing one is left out."""


@hookspec
def dashboard_cards() -> Iterable[DashboardCard]:  # type: ignore[empty-body]
    """Add cards to the dashboard. Observers: a failing one is left out."""
