"""Sending: a mail that is due is claimed by lease, sent, and settled by what the mail server answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Group
from email.message import EmailMessage

from flask import Flask
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from bvo import event_log, events, leases, mail, registry
from bvo.database import db, transaction, utcnow
from bvo.event_log import LoggedEvent
from bvo.mail import MailFailed, Refused

from . import writing
from .models import Mail, MailItem, MailNotification
from .service import NotificationService

LEASE = timedelta(minutes=3)
"""Longer than a mail server is talked with. So much later another worker sends what one had that was killed."""
FIRST_RETRY_SECONDS = 10
"""After a failure; then twice as long each time, up to an hour."""
REST_RETRY_SECONDS, REST_TRIES = 60, 6
"""Where the server works and took it for others, or refused this one: about half an hour."""


@dataclass(frozen=True)
class _Outcome:
    """What became of an attempt. `taken`: the server has the mail, but for those who are `refused`."""

    taken: bool
    error: str = ""
    refused: tuple[Refused, ...] = ()
    for_good: bool = False


def send_next(app: Flask) -> bool:
    """Send the first mail that is due; False where there is none."""
    with app.app_context(), transaction() as session:
        lease = leases.claim(session, Mail, *due(), ttl=LEASE, order_by=(Mail.available_at, Mail.id))
    if not lease.ids:
        return False
    outcome = _attempt(app, lease.ids[0])
    with app.app_context(), transaction() as session:
        _settle(session, lease.ids[0], lease.token, outcome)
    return True


def due() -> tuple[ColumnElement[bool], ...]:
    """The conditions of the mails that are to be sent now."""
    active = select(MailNotification.id).where(MailNotification.id == Mail.notification_id, MailNotification.is_active)
    free = or_(Mail.lease_hash.is_(None), leases.expired(Mail))
    return Mail.finished_at.is_(None), Mail.available_at <= utcnow(), free, active.exists()


def _attempt(app: Flask, mail_id: int) -> _Outcome:
    """Send it, outside of any transaction: a mail server takes its time."""
    try:
        with app.app_context():
            server, message, recipients = _written(mail_id)
        refused = server.send(message, recipients)
    except MailFailed as error:
        return _Outcome(False, str(error), tuple(error.refused), error.for_good)
    told = "; ".join(f"{each.recipient} was refused: {each.reason}" for each in refused)
    return _Outcome(True, told, tuple(refused))


def _written(mail_id: int) -> tuple[mail.Server, EmailMessage, list[str]]:
    """The mail, and who is to get it. Raises MailFailed."""
    if not mail.is_set_up():
        raise MailFailed("No mail server is set: set smtp_host and from_address in the settings email.")
    sent = db.session.get(Mail, mail_id)
    if sent is None:
        raise MailFailed("The notification was deleted.")
    notification, server = sent.notification, mail.server()
    places = select(MailItem.place).where(MailItem.mail_id == mail_id).order_by(MailItem.place)
    told = event_log.read(LoggedEvent.id.in_(places.limit(writing.MOST_EVENTS)), limit=writing.MOST_EVENTS)
    letter = writing.letter(notification, told, sent.count)
    message = mail.message(server.sender, _to(notification), letter.subject, letter.text)
    domain = server.sender.rpartition("@")[2]
    message.replace_header("Message-ID", f"<{sent.message_id}@{domain}>")
    message["List-Id"] = f"<mail-notification-{notification.id}.{domain}>"
    return server, message, list(sent.recipients or notification.recipients)


def _to(notification: MailNotification) -> str | Group:
    """Several do not see each other: what they see is a group with the notification's name, and nobody in it."""
    if len(notification.recipients) == 1:
        return notification.recipients[0]
    return Group(" ".join(notification.name.split()), ())


def _settle(session: Session, mail_id: int, token: str, outcome: _Outcome) -> None:
    """Keep what became of it, unless another worker has it by now."""
    found = select(MailNotification).join(Mail, Mail.notification_id == MailNotification.id).where(Mail.id == mail_id)
    locking = found.with_for_update(of=MailNotification).execution_options(populate_existing=True)
    notification = session.scalars(locking).one_or_none()
    if notification is None or not leases.renew(session, Mail, token, LEASE, Mail.id == mail_id):
        return
    sent = session.get_one(Mail, mail_id, populate_existing=True)
    sent.lease_hash = sent.lease_expires_at = None
    sent.error = outcome.error or None
    _note(notification, sent, outcome)
    if sent.holds_others and not outcome.taken and not outcome.for_good:
        sent.available_at = utcnow() + leases.backoff(FIRST_RETRY_SECONDS, sent.attempt)
        return
    sent.holds_others = False
    sent.recipients = _left(sent.recipients or notification.recipients, outcome)
    if sent.recipients and sent.attempt < REST_TRIES:
        sent.available_at = utcnow() + leases.backoff(REST_RETRY_SECONDS, sent.attempt)
        return
    sent.finished_at = utcnow()
    if sent.sent_at is None:
        tell_of_loss(notification, sent.count, outcome.error)


def _note(notification: MailNotification, sent: Mail, outcome: _Outcome) -> None:
    """Say on the notification how it goes. What nobody waits for any more is no failure of it."""
    if outcome.taken:
        sent.sent_at = sent.sent_at or utcnow()
        notification.last_sent_at, notification.failing_since = utcnow(), None
        notification.last_error = outcome.error or None
    elif sent.holds_others:
        notification.failing_since = notification.failing_since or utcnow()
        notification.last_error = outcome.error


def _left(recipients: list[str], outcome: _Outcome) -> list[str]:
    """Those who are to be tried again: not who has it, and not who was refused for good."""
    if outcome.taken:
        return [each.recipient for each in outcome.refused if each.for_now]
    for_good = {each.recipient for each in outcome.refused if not each.for_now}
    return [recipient for recipient in recipients if recipient not in for_good]


def tell_of_loss(notification: MailNotification, count: int, error: str) -> None:
    """Let the event log say that so many events were mailed to nobody. Runs in a transaction."""
    entity = registry.current().service(NotificationService).entity
    events.emit("failed", entity, notification, metadata={"count": count, "error": error})
