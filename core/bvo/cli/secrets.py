"""`bvo secrets`: the key of stored secrets."""

from __future__ import annotations

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bvo import secrets

from .apps import with_app


@click.group("secrets")
def secrets_group() -> None:
    """Change the key that stored secrets are encrypted with."""


@secrets_group.command()
@with_app
def rotate() -> None:
    """Encrypt every stored secret under the first key of BVO_ENCRYPTION_KEY.

    \b
    Put the new key first and keep the old one behind it:  BVO_ENCRYPTION_KEY=<new>,<old>
    Restart the servers, run this, then take the old key away. It can be stopped and repeated at any time.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Secrets", total=secrets.count())
        changed = secrets.rotate(lambda done: progress.advance(task, done))
    click.echo(f"{changed} secrets were encrypted anew.")
