"""`bvo demo`: the product's main job from one command."""

from __future__ import annotations

from collections.abc import Iterable

from bvo_hookspecs import CliCommand, PluginInfo, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="demo", summary="The `bvo demo` command", requires=("runner",))


@hookimpl
def cli_commands() -> Iterable[CliCommand]:
    return [
        CliCommand(
            name="demo", target="bvo_demo.commands:demo", help="Show the main job: a zip becomes a finished job."
        )
    ]
