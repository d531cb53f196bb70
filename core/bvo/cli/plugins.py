"""`bvo plugins`: what is loaded, and why something is not."""

from __future__ import annotations

import json

import click

from bvo import registry

from .apps import with_app


@click.group("plugins")
def plugins_group() -> None:
    """Show the plugins and their state."""


@plugins_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array, for scripts.")
@with_app
def list_plugins(as_json: bool) -> None:
    """List every plugin that was found: its state, and the reason where it is not loaded."""
    rows = [
        {
            "name": plugin.name,
            "package": plugin.package,
            "state": plugin.state,
            "builtin": plugin.builtin,
            "reason": plugin.reason,
            "summary": plugin.info.summary,
        }
        for plugin in registry.current().plugins.all
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['name']:<12} {row['state']:<9} {row['reason'] or row['summary']}")
