"""E-mail notifications: people are told what happens, at once or in a digest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from bvo_hookspecs import (
    DetailPanel,
    EntityType,
    EventType,
    PeriodicTask,
    PluginInfo,
    WebhookEmitter,
    hookimpl,
)

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="email", summary="E-mails that tell people what happens", requires=("events", "settings"))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import NOTIFICATION

    return [NOTIFICATION]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .panels import templates

    return [templates]


@hookimpl
def webhook_emitters() -> Iterable[WebhookEmitter]:
    from . import planning

    return [WebhookEmitter(name="email", deliver=planning.plan, accepts=planning.accepts, batch_size=planning.PLANNED)]


@hookimpl
def periodic_tasks() -> Iterable[PeriodicTask]:
    from . import ending, senders

    return [
        PeriodicTask(name="send_mails", every=timedelta(seconds=1), run=senders.send_due, after_jump=ending.count_anew),
        PeriodicTask(name="give_up_mails", every=timedelta(hours=1), run=ending.give_up, after_jump=ending.count_anew),
        PeriodicTask(name="prune_mails", every=timedelta(minutes=10), run=ending.prune),
    ]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS
