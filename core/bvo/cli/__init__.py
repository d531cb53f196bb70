"""The `bvo` program. Commands are imported only when they are called, so that `bvo --version` answers at once."""

from __future__ import annotations

import importlib
import sys
from typing import Any, cast

import click

from bvo import __version__, collector
from bvo.config import environment
from bvo.errors import StartupError
from bvo_hookspecs import CliCommand

CORE_COMMANDS = (
    CliCommand(name="serve", target="bvo.cli.serve:serve", help="Run the server: web UI, API and background worker."),
    CliCommand(name="worker", target="bvo.cli.worker:worker", help="Run only a background worker."),
    CliCommand(name="db", target="bvo.cli.db:db_group", help="Migrate the database, and check it."),
    CliCommand(name="secrets", target="bvo.cli.secrets:secrets_group", help="Change the key of stored secrets."),
    CliCommand(name="plugins", target="bvo.cli.plugins:plugins_group", help="Show the plugins and their state."),
)


class LazyGroup(click.Group):
    """A group whose commands are named by records and imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._known())

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        found = {command.name: command for command in CORE_COMMANDS}.get(name) or self._known().get(name)
        if found is None:
            return None
        module, _, attribute = found.target.partition(":")
        try:
            with collector.paused():
                return cast(click.Command, getattr(importlib.import_module(module), attribute))
        except (ImportError, AttributeError) as error:
            raise StartupError(f"The command {name!r} can't be loaded from {found.target}: {error}.") from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in sorted(self._known().items())])

    def _known(self) -> dict[str, CliCommand]:
        if not hasattr(self, "_commands"):
            self._commands = _commands()
        return self._commands


def _commands() -> dict[str, CliCommand]:
    """The core's commands and those of the plugins. Raises StartupError for two of one name."""
    from bvo.plugins import load

    commands = {command.name: command for command in CORE_COMMANDS}
    owners = dict.fromkeys(commands, "bvo")
    plugins = load(frozenset(environment.names("BVO_DISABLED_PLUGINS")))
    for plugin in list(plugins):
        for command in plugins.call(plugin, "cli_commands"):
            if not isinstance(command, CliCommand):
                plugins.fail(plugin, TypeError(f"cli_commands returned {command!r} where a CliCommand belongs"))
                break
            if (owner := owners.setdefault(command.name, plugin.package)) != plugin.package:
                raise StartupError(
                    f"Two plugins give a command {command.name!r}: {owner} and {plugin.package}."
                    " Disable one of them with BVO_DISABLED_PLUGINS."
                )
            commands[command.name] = command
    return commands


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="bvo")
def program() -> None:
    """BV Orchestrator: a self-hosted control plane for automation.

    Configuration comes from the environment: BVO_DATA_DIR (data folder, default ./bvo-data), BVO_DATABASE_URL
    (default: SQLite in the data folder), BVO_ENV (development or production).

    \b
    Try it:   bvo demo
    Run it:   bvo serve --port 8000
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the program. Exit codes: 0 done, 1 it failed, 2 it can't start as it is called or configured."""
    try:
        return program(arguments)
    except StartupError as error:
        click.echo(f"bvo: {error}", err=True)
        sys.exit(2)
