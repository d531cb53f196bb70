"""The mail with the link to choose a new password. The worker sends it, so that no answer tells who exists."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from bvo import mail, settings
from bvo.database import db, utcnow
from bvo_access.models import User
from bvo_hookspecs import Event

from . import accounts
from .models import PasswordReset

log = logging.getLogger(__name__)

QUIET = timedelta(minutes=1)
"""A user gets no second link so soon after the first, however often somebody asks."""

TEXT = """\
Somebody, probably you, asked for a new password for the user {username} of {instance}.

Open this link within an hour to choose one. It works once:

{link}

If it was not you, there is nothing to do: the password is as it was.
"""


def is_offered() -> bool:
    """Whether links can be sent: there is a mail server, and the links have an address to begin with."""
    return mail.is_set_up() and bool(settings.public_url())


def accepts(event_type: str) -> bool:
    return event_type == accounts.RESET_REQUESTED


def deliver(events: Sequence[Event]) -> None:
    """Send each link where such a user exists. Raises MailFailed, and is then called again, within the hour."""
    for event in events:
        _answer(event)


def _answer(event: Event) -> None:
    user = _user(event)
    if user is None or event.occurred_at < utcnow() - accounts.LINK or _has_fresh_link(user):
        return
    if not is_offered():
        log.warning(
            "%s asked for a new password, and no mail was sent: set email.smtp_host, email.from_address and"
            " general.public_url. `bvo reset-link` prints a link.",
            user.username,
        )
        return
    _send(user)


def _send(user: User) -> None:
    token, instance = accounts.new_token(), settings.get("general.instance_name")
    text = TEXT.format(username=user.username, instance=instance, link=accounts.link(token))
    mail.send(user.email or "", f"{instance}: choose a new password", text)
    accounts.keep_token(user.id, token)  # not before: a mail that was not sent must be tried again


def _user(event: Event) -> User | None:
    """The user who was meant. Without a password there is none to choose: another provider vouches for that user."""
    known = (User.is_active, User.email.is_not(None), User.password_hash.is_not(None))
    user = db.session.scalars(select(User).where(User.username == event.entity_name, *known)).one_or_none()
    meant = user is not None and accounts.email_digest(user.email) == event.metadata.get("email_digest")
    return user if meant else None


def _has_fresh_link(user: User) -> bool:
    since = utcnow() + accounts.LINK - QUIET
    fresh = select(PasswordReset.id).where(PasswordReset.user_id == user.id, PasswordReset.expires_at > since)
    return db.session.scalar(fresh.limit(1)) is not None
