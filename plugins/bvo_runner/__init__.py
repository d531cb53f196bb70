"""The API that runners talk to, and the `bvo runner` command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import AsgiMiddleware, CliCommand, PluginInfo, hookimpl

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(
        name="runner", summary="The API of runners", requires=("jobs", "robots", "machines", "packages", "settings")
    )


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from .api import blueprint, downloads

    return [blueprint, downloads]


@hookimpl
def asgi_middlewares() -> Iterable[AsgiMiddleware]:
    from .lane import wrap

    return [AsgiMiddleware(name="runner_lane", wrap=wrap)]


@hookimpl
def cli_commands() -> Iterable[CliCommand]:
    return [CliCommand(name="runner", target="bvo_agent.cli:runner", help="Run jobs on this machine, as a robot.")]
