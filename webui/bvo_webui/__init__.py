"""The web UI: pages for whatever the plugins declare, and the layout that plugins' own pages extend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import EventType, NavItem, PluginInfo, hookimpl

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="webui", summary="Pages for everything that is registered", requires=("auth",))


@hookimpl
def event_types() -> Iterable[EventType]:
    from .exports import EXPORTED

    return [EXPORTED]


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from . import api_docs, blueprint

    return [blueprint.build(), api_docs.build()]


@hookimpl
def navigation() -> Iterable[NavItem]:
    from .plugins_page import NAV

    return [NAV]
