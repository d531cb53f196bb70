"""Webhooks: signed HTTP requests that tell other systems what happens, delivered at least once, and kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from bvo_hookspecs import (
    DetailPanel,
    EncryptedColumn,
    EntityType,
    EventType,
    PeriodicTask,
    PluginInfo,
    SettingsGroup,
    WebhookEmitter,
    hookimpl,
)

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(
        name="webhooks", summary="Signed HTTP requests that tell other systems", requires=("events", "settings")
    )


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import DELIVERY, WEBHOOK

    return [WEBHOOK, DELIVERY]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .api import blueprint
    from .pages import pages

    return [blueprint, pages]


@hookimpl
def settings_groups() -> Iterable[SettingsGroup]:
    from .limits import GROUPS

    return GROUPS


@hookimpl
def encrypted_columns() -> Iterable[EncryptedColumn]:
    from .models import Webhook

    return [
        EncryptedColumn(name=f"webhook_{column}s", model=Webhook, column=column)
        for column in ("signing_secret", "old_signing_secret", "header_value")
    ]


@hookimpl
def webhook_emitters() -> Iterable[WebhookEmitter]:
    from . import subscriptions

    return [
        WebhookEmitter(
            name="webhooks",
            deliver=subscriptions.plan,
            accepts=subscriptions.accepts,
            batch_size=subscriptions.PLANNED,
        )
    ]


@hookimpl
def periodic_tasks() -> Iterable[PeriodicTask]:
    from . import deliveries, limits, senders, subscriptions

    return [
        PeriodicTask(
            name="send_webhooks",
            every=timedelta(seconds=0.5),
            run=senders.send_due,
            after_jump=deliveries.count_anew,
        ),
        PeriodicTask(name="replay_webhooks", every=timedelta(seconds=1), run=subscriptions.replay),
        PeriodicTask(name="prune_webhook_deliveries", every=timedelta(minutes=10), run=limits.prune),
    ]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS
