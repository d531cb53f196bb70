"""`bvo users`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from marshmallow import ValidationError
from sqlalchemy import select
from werkzeug.exceptions import HTTPException

from bvo import registry
from bvo.cli.apps import with_app
from bvo.database import transaction
from bvo.problems import field_errors

from .models import Role, User
from .schemas import UserIn
from .service import UserService


@click.group()
def users() -> None:
    """Manage users from the machine that the server runs on."""


@users.command("create-admin")
@click.option("--username", prompt=True, help="The administrator's user name.")
@click.option("--email", default=None, help="Where messages to this user go.")
@click.password_option(
    help="Asked for where it is left out. In scripts, set BVO_ADMIN_PASSWORD: other users can see arguments.",
    envvar="BVO_ADMIN_PASSWORD",
)
@with_app
def create_admin(username: str, email: str | None, password: str) -> None:
    """Make an administrator; an existing user of that name becomes one and gets the new password.

    \b
    Example:  BVO_ADMIN_PASSWORD="$(pwgen 20 1)" bvo users create-admin --username ops
    """
    data = {"username": username, "password": password} | ({"email": email} if email else {})
    try:
        loaded = UserIn().load(data)
    except ValidationError as error:
        raise click.ClickException(
            "; ".join(f"{name}: {' '.join(texts)}" for name, texts in field_errors(error.messages).items())
        ) from None
    try:
        _make_administrator(username, loaded)
    except HTTPException as error:
        raise click.ClickException(str(error.description)) from None
    click.echo(f"{username} is an administrator.")


def _make_administrator(username: str, data: Mapping[str, Any]) -> None:
    service = registry.current().service(UserService)
    with transaction() as session:
        existing = session.scalars(select(User).where(User.username == username)).one_or_none()
        user = service.update(existing.id, {**data, "is_active": True}) if existing else service.create(data)
        admin = session.scalars(select(Role).where(Role.is_admin)).one()
        service.assign(user.id, sorted({role.id for role in user.roles} | {admin.id}))
