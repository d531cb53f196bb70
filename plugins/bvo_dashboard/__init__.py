"""The overview of jobs, robots and processes, as one answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import Artifact, DashboardCard, PluginInfo, hookimpl

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="dashboard", summary="The overview", requires=("jobs", "robots", "processes"))


@hookimpl
def artifacts() -> Iterable[Artifact]:
    return [Artifact(name="dashboard", label="Dashboard")]


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .api import blueprint

    return [blueprint]


@hookimpl
def dashboard_cards() -> Iterable[DashboardCard]:
    from .attention import CARD

    return [CARD]
