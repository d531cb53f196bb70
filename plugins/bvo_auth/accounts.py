"""What people do with their own accounts: register, and choose a new password."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from werkzeug.exceptions import Forbidden, Unauthorized

from bvo import access, registry, settings, tokens
from bvo.database import db, transaction, utcnow
from bvo_access import passwords
from bvo_access.models import CAN_LOG_IN, User
from bvo_access.service import UserService
from bvo_hookspecs import Principal

from .models import PasswordReset

LINK = timedelta(hours=1)


def register(data: Mapping[str, Any]) -> User:
    """Make an account without roles. Raises Forbidden where that is switched off, or not for this e-mail address."""
    if not _registration_is_on():
        raise Forbidden("Registration is switched off. Ask an administrator for an account.")
    domains = [domain.lower() for domain in settings.get("security.allowed_domains")]
    email = data.get("email") or ""
    if domains and email.rpartition("@")[2].lower() not in domains:
        raise Forbidden(f"Register with an e-mail address of: {', '.join(domains)}.")
    access.act_as(Principal(kind="user", id=None, name=data["username"]))
    return _users().create(data)


def forgot(username: str, email: str | None, new_password: str | None) -> None:
    """Begin a reset; it takes as long whoever asks. In development mode on this machine it resets at once."""
    digest = passwords.hashed(new_password or "no password")
    user = db.session.scalars(select(User).where(User.username == username, *CAN_LOG_IN)).one_or_none()
    if user is None or user.email != email or not new_password:
        return
    if registry.current().config.development and access.from_this_machine():
        _change(user.id, digest)


def make_link(username: str) -> str:
    """A new link's token for this user; earlier ones end. Raises LookupError where none of that name has a password."""
    token = tokens.new("bvop")
    with transaction() as session:
        user = session.scalars(select(User).where(User.username == username)).one_or_none()
        if user is None:
            raise LookupError(f"There is no user named {username!r}.")
        if user.is_service:
            raise LookupError(f"{username!r} is a service account, which has no password. Create an API token for it.")
        session.execute(delete(PasswordReset).where(PasswordReset.user_id == user.id))
        session.add(PasswordReset(user_id=user.id, token_hash=tokens.digest(token), expires_at=utcnow() + LINK))
    return token


def reset(token: str, new_password: str) -> None:
    """Change the password of the link's user, and end that user's sessions. Raises Unauthorized for a used link."""
    with transaction() as session:
        query = delete(PasswordReset).where(
            PasswordReset.token_hash == tokens.digest(token), PasswordReset.expires_at > utcnow()
        )
        user_id = session.scalar(query.returning(PasswordReset.user_id))
        if user_id is None:
            raise Unauthorized("This link was used already, or has expired. Ask for a new one.")
        _change(user_id, passwords.hashed(new_password))


def _change(user_id: int, password_hash: str) -> None:
    user = db.session.get_one(User, user_id)
    access.act_as(Principal(kind="user", id=user.id, name=user.username, is_admin=user.is_admin))
    _users().set_password_hash(user_id, password_hash)


def _registration_is_on() -> bool:
    wanted = settings.get("security.self_registration")
    return registry.current().config.development if wanted is None else bool(wanted)


def _users() -> UserService:
    return registry.current().service(UserService)
