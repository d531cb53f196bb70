"""Changing settings, and trying them."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields
from werkzeug.exceptions import BadGateway, UnprocessableEntity

from bvo import events, mail, settings
from bvo.database import transaction
from bvo_hookspecs import EventType

EVENT_TYPES = (
    EventType(
        name="settings.updated",
        action="settings.update",
        action_type="modified",
        help="Settings of a group were changed.",
        metadata={"secrets_changed": fields.List(fields.String())},
    ),
    EventType(
        name="settings.mail_tested",
        action="settings.mail_test",
        action_type="mail_tested",
        help="Somebody had a test mail sent.",
    ),
)


def update(group: str, values: dict[str, Any]) -> dict[str, Any]:
    """Store some values of a group; returns the whole group. Raises NotFound and UnprocessableEntity."""
    with transaction() as session:
        before = settings.read(group)
        try:
            secrets_changed = settings.write(session, group, values)
        except ValidationError as error:
            refused = UnprocessableEntity()
            refused.data = {"messages": {"json": error.messages}}  # type: ignore[attr-defined]
            raise refused from None
        session.flush()
        after = settings.read(group)
        if after != before or secrets_changed:
            _record(group, before, after, secrets_changed)
        return after


def reset(group: str, name: str) -> None:
    """Leave one setting to its default. Raises NotFound."""
    with transaction() as session:
        before = settings.read(group)
        was_secret = settings.reset(session, group, name)
        session.flush()
        after = settings.read(group)
        if after != before:
            _record(group, before, after, [name] if was_secret else [])


def send_test_mail(to: str) -> None:
    """Send a mail now, and tell why it can't be sent. Raises UnprocessableEntity and BadGateway."""
    if not mail.is_set_up():
        raise UnprocessableEntity("Set smtp_host and from_address in the settings email first.")
    events.record(
        type="settings.mail_tested",
        entity_type="settings",
        entity_label="Settings",
        entity_id="email",
        entity_name="email",
        message=f"A test mail to {to} was asked for.",
    )
    name = settings.get("general.instance_name")
    try:
        mail.send(to, f"{name}: test", f"{name} can send mail.\n")
    except mail.MailFailed as error:
        raise BadGateway(f"The mail was not sent. The mail server {settings.get('email.smtp_host')}: {error}") from None


def _record(group: str, before: dict[str, Any], after: dict[str, Any], secrets_changed: list[str]) -> None:
    events.record(
        type="settings.updated",
        entity_type="settings",
        entity_label="Settings",
        entity_id=group,
        entity_name=group,
        message=f"The settings {group} were changed.",
        before=before,
        after=after,
        metadata={"secrets_changed": secrets_changed} if secrets_changed else {},
    )
