"""Assets: values and secrets that scripts need, kept outside of packages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import EncryptedColumn, EntityType, EventType, PluginInfo, hookimpl

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="assets", summary="Values and secrets for scripts", requires=("processes", "jobs"))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import ASSET

    return [ASSET]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .api import blueprint

    return [blueprint]


@hookimpl
def encrypted_columns() -> Iterable[EncryptedColumn]:
    from .models import Asset

    return [EncryptedColumn(name="asset_secrets", model=Asset, column="secret")]
