"""Settings: the five standard groups, and their API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import Artifact, EncryptedColumn, EventType, NavItem, PluginInfo, SettingsGroup, hookimpl

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(
        name="settings", summary="Settings that operators change while the server runs", requires=("access",)
    )


@hookimpl
def event_types() -> Iterable[EventType]:
    from .service import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def artifacts() -> Iterable[Artifact]:
    return [Artifact(name="settings", label="Settings")]


@hookimpl
def settings_groups() -> Iterable[SettingsGroup]:
    from .groups import GROUPS

    return GROUPS


@hookimpl
def encrypted_columns() -> Iterable[EncryptedColumn]:
    from bvo.settings import StoredSetting

    return [EncryptedColumn(name="setting_secrets", model=StoredSetting, column="secret")]


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .api import blueprint, descriptions
    from .pages import pages

    return [blueprint, descriptions, pages]


@hookimpl
def navigation() -> Iterable[NavItem]:
    return [NavItem(name="settings", label="Settings", order=95, url="/ui/settings", permission="settings:view")]
