"""What people do with their own accounts: register, and choose a new password."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from werkzeug.exceptions import Forbidden, Unauthorized, UnprocessableEntity

from bvo import access, events, registry, settings, throttle, tokens
from bvo.database import db, transaction, utcnow
from bvo_access import passwords
from bvo_access.models import CAN_LOG_IN, User
from bvo_access.service import UserService, check_password
from bvo_hookspecs import Principal

from .models import PasswordReset

LINK = timedelta(hours=1)
RESET_PAGE = "/ui/reset"
RESET_REQUESTED = "user.reset_requested"


def register(data: Mapping[str, Any]) -> User:
    """Make an account without roles. Raises Forbidden where that is switched off, or not for this e-mail address."""
    _limit("register")
    if not _registration_is_on():
        raise Forbidden("Registration is switched off. Ask an administrator for an account.")
    domains = [domain.lower() for domain in settings.get("security.allowed_domains")]
    email = data.get("email") or ""
    if domains and email.rpartition("@")[2].lower() not in domains:
        raise Forbidden(f"Register with an e-mail address of: {', '.join(domains)}.")
    access.act_as(Principal(kind="user", id=None, name=data["username"]))
    return _users().create(data)


def forgot(username: str, email: str | None, new_password: str | None) -> None:
    """Record that a new password is asked for. The worker looks for the user, so that the answer is the same for all.

    Development mode on this machine changes a matching user's password at once instead.
    """
    _limit("forgot")
    if new_password and registry.current().config.development and access.from_this_machine():
        user = db.session.scalars(select(User).where(User.username == username, *CAN_LOG_IN)).one_or_none()
        if user is not None and user.email == email:
            _change(user.id, passwords.hashed(new_password))
            return
    events.record(
        type=RESET_REQUESTED,
        entity_type="user",
        entity_label="User",
        entity_id="",
        entity_name=username,
        message=f'A new password for "{username}" was asked for.',
        metadata={"email_digest": email_digest(email)},
    )


def email_digest(email: str | None) -> str:
    """What is kept of an address that anybody may have typed."""
    return tokens.digest((email or "").lower())


def make_link(username: str) -> str:
    """A new link for this user; earlier ones end. Raises LookupError for an unknown user."""
    token = new_token()
    with transaction() as session:
        user = session.scalars(select(User).where(User.username == username)).one_or_none()
        if user is None:
            raise LookupError(f"There is no user named {username!r}.")
        if user.is_service:
            raise LookupError(f"{username!r} is a service account, which has no password. Create an API token for it.")
        keep_token(user.id, token)
    return link(token)


def new_token() -> str:
    return tokens.new("bvop")


def keep_token(user_id: int, token: str) -> None:
    """From now on the link with this token works, and earlier ones of this user do not."""
    with transaction() as session:
        session.execute(delete(PasswordReset).where(PasswordReset.user_id == user_id))
        session.add(PasswordReset(user_id=user_id, token_hash=tokens.digest(token), expires_at=utcnow() + LINK))
        events.emit("reset_link_made", _users().entity, session.get_one(User, user_id))


def link(token: str) -> str:
    """The address at which the token's user chooses a new password; without `general.public_url` only its path."""
    return f"{settings.public_url()}{RESET_PAGE}?token={token}"


def reset(token: str, new_password: str) -> None:
    """Change the password of the link's user, and end that user's sessions. Raises Unauthorized for a used link."""
    _limit("reset")
    with transaction() as session:
        query = delete(PasswordReset).where(
            PasswordReset.token_hash == tokens.digest(token), PasswordReset.expires_at > utcnow()
        )
        user_id = session.scalar(query.returning(PasswordReset.user_id))
        if user_id is None:
            raise Unauthorized("This link was used already, or has expired. Ask for a new one.")
        _change(user_id, passwords.hashed(new_password))


def change_own(current: str, new: str) -> None:
    """Change the password of whoever asks, and end all their sessions.

    Raises UnprocessableEntity where `current` is not theirs, TooManyRequests after many such tries.
    """
    principal = access.principal()
    counter = throttle.Counter("own password", str(principal.id))
    throttle.attempt(counter)
    if check_password(principal.name, current) is None:
        refused = UnprocessableEntity()
        refused.data = {"messages": {"form": {"current_password": ["This is not your password."]}}}  # type: ignore[attr-defined]
        raise refused
    throttle.clear(counter)
    _users().set_password_hash(int(principal.id or 0), passwords.hashed(new))


def _limit(what: str) -> None:
    """Everybody may call it, so each address may only so often. Raises TooManyRequests."""
    throttle.attempt(throttle.Counter(what, access.address()))


def _change(user_id: int, password_hash: str) -> None:
    user = db.session.get_one(User, user_id)
    access.act_as(Principal(kind="user", id=user.id, name=user.username, is_admin=user.is_admin))
    _users().set_password_hash(user_id, password_hash)


def _registration_is_on() -> bool:
    wanted = settings.get("security.self_registration")
    return registry.current().config.development if wanted is None else bool(wanted)


def _users() -> UserService:
    return registry.current().service(UserService)
