"""Packages: zips of Python scripts, uploaded once and never changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import (
    CliCommand,
    DetailPanel,
    EntityType,
    EventType,
    HealthCheck,
    PackageStore,
    PluginInfo,
    StoredBlobs,
    hookimpl,
)

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="packages", summary="Uploaded packages, and the folder they lie in", requires=("access",))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import PACKAGE

    return [PACKAGE]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .api import blueprint

    return [blueprint]


@hookimpl
def package_stores() -> Iterable[PackageStore]:
    from .store import FolderStore

    return [PackageStore(name="folder", connect=FolderStore)]


@hookimpl
def stored_blobs() -> Iterable[StoredBlobs]:
    from .models import Package

    return [StoredBlobs(name="packages", model=Package)]


@hookimpl
def cli_commands() -> Iterable[CliCommand]:
    return [
        CliCommand(
            name="packages",
            target="bvo_packages.commands:packages",
            help="Move packages and artifacts to another store.",
        )
    ]


@hookimpl
def health_checks() -> Iterable[HealthCheck]:
    from bvo import stores

    return [HealthCheck(name="package_store", check=lambda: stores.current().check())]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS
