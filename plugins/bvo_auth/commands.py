"""`bvo reset-link`."""

from __future__ import annotations

import click

from bvo.cli.apps import with_app

from . import accounts


@click.command()
@click.argument("username")
@with_app
def reset_link(username: str) -> None:
    """Print a link by which USERNAME chooses a new password, once, within an hour.

    \b
    Example:  bvo reset-link dana
    It begins with the setting general.public_url. Or send its token:
              POST /api/auth/reset  {"token": "...", "newPassword": "..."}
    """
    try:
        click.echo(accounts.make_link(username))
    except LookupError as error:
        raise click.ClickException(str(error)) from None
