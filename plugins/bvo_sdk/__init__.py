"""Login of developers' tools: a browser confirms, the tool gets a short-lived token of its own kind."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from bvo_hookspecs import AuthProvider, EventType, PeriodicTask, PluginInfo, hookimpl

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="sdk", summary="Login for developers' tools", requires=("auth", "access", "settings"))


@hookimpl
def event_types() -> Iterable[EventType]:
    from .service import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def auth_providers() -> Iterable[AuthProvider]:
    from .tokens import authenticate

    return [AuthProvider(name="sdk_token", authenticate=authenticate)]


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .api import blueprint
    from .pages import pages

    return [blueprint, pages]


@hookimpl
def periodic_tasks() -> Iterable[PeriodicTask]:
    from .service import prune

    return [PeriodicTask(name="prune_sdk_sessions", every=timedelta(minutes=10), run=prune)]
