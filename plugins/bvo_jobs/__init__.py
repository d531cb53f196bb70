"""Jobs: executions of processes, from pending to their result, with log and artifacts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from bvo_hookspecs import (
    AlertCondition,
    DashboardCard,
    DetailPanel,
    EntityType,
    EventType,
    PeriodicTask,
    PluginInfo,
    SettingsGroup,
    StoredBlobs,
    hookimpl,
)

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(
        name="jobs",
        summary="Executions of processes on robots",
        requires=("processes", "robots", "machines", "packages", "settings"),
    )


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import JOB

    return [JOB]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from . import log_pages, runs
    from .api import blueprint

    return [blueprint, log_pages.pages, runs.pages]


@hookimpl
def settings_groups() -> Iterable[SettingsGroup]:
    from .limits import GROUP

    return [GROUP]


@hookimpl
def alert_conditions() -> Iterable[AlertCondition]:
    from .alerts import CONDITIONS

    return CONDITIONS


@hookimpl
def periodic_tasks() -> Iterable[PeriodicTask]:
    from .hours import summarise
    from .watchdog import count_anew, sweep

    return [
        PeriodicTask(name="sweep_jobs", every=timedelta(seconds=1), run=sweep, after_jump=count_anew),
        PeriodicTask(name="summarise_job_hours", every=timedelta(minutes=5), run=summarise),
    ]


@hookimpl
def stored_blobs() -> Iterable[StoredBlobs]:
    from .models import Artifact

    return [StoredBlobs(name="job_artifacts", model=Artifact)]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from . import panels, runs, utilisation

    return [*panels.PANELS, *runs.PANELS, *utilisation.PANELS]


@hookimpl
def dashboard_cards() -> Iterable[DashboardCard]:
    from .cards import CARDS

    return CARDS
