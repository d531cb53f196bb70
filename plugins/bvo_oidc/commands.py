"""`bvo oidc`."""

from __future__ import annotations

import click

from bvo.cli.apps import with_app

from . import pages, service


@click.group()
def oidc() -> None:
    """Look after the users who sign in by the OIDC provider."""


@oidc.command("link")
@click.argument("username")
@click.argument("subject")
@with_app
def link_user(username: str, subject: str) -> None:
    """Let an account at the provider sign in as the user USERNAME.

    SUBJECT is the account's id there, the claim `sub`; the message with which a sign-in was refused shows it.

    \b
    Example:  bvo oidc link ada 248289761001
    """
    issuer = pages.current().configuration.issuer
    try:
        service.link(username, issuer, subject)
    except LookupError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{subject} of {issuer} signs in as {username} from now on.")
