"""Users, roles and permissions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import CliCommand, DetailPanel, EntityType, EventType, PluginInfo, Seed, StartCheck, hookimpl

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="access", summary="Users, roles and the permission matrix")


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import ROLE, USER

    return [USER, ROLE]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .api import blueprint

    return [blueprint]


@hookimpl
def seeds() -> Iterable[Seed]:
    from .seeding import SEEDS

    return SEEDS


@hookimpl
def start_checks() -> Iterable[StartCheck]:
    from .seeding import check_administrator

    return [StartCheck(name="administrator", check=check_administrator)]


@hookimpl
def cli_commands() -> Iterable[CliCommand]:
    return [
        CliCommand(name="users", target="bvo_access.commands:users", help="Manage users, e.g. the first administrator.")
    ]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS
