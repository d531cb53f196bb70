"""What ends by time: mails that nobody took for days are given up, and old ones removed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from bvo import clock, leases
from bvo.database import db, transaction, utcnow

from .models import Mail, MailItem, MailNotification
from .planning import waiting
from .sending import LEASE, tell_of_loss

GIVE_UP = timedelta(days=3)
"""What was due so long ago and reached nobody is given up."""
KEPT = timedelta(days=7)
"""So long it is kept what was mailed: an event that is handed over again by then is not mailed again."""
BATCH = 1000
NOBODY_TRIED = "It waited for days: no mail server is set, the notification is not active, or no worker ran."


def give_up() -> None:
    """Give up what is too old, and tell of it."""
    limit, its = utcnow() - GIVE_UP, MailNotification.id
    mails = select(Mail.notification_id).where(Mail.finished_at.is_(None), Mail.created_at < limit)
    items = select(MailItem.place).where(*waiting(its), MailItem.due_at < limit)
    for notification_id in db.session.scalars(select(its).where(or_(its.in_(mails), items.exists()))).all():
        with transaction() as session:
            notification = session.get(MailNotification, notification_id, with_for_update=True, populate_existing=True)
            if notification and not clock.guard.jumped():
                _give_up(session, notification)


def count_anew() -> None:
    """Count leases and waits from now on, after the wall clock has jumped. Twice is once."""
    now, unfinished = utcnow(), Mail.finished_at.is_(None)
    with transaction() as session:
        for changing in (
            update(Mail).where(unfinished).values(created_at=now),
            update(Mail).where(unfinished, Mail.lease_hash.is_not(None)).values(lease_expires_at=now + LEASE),
            update(Mail).where(unfinished, Mail.lease_hash.is_(None)).values(available_at=now),
            update(MailItem).where(MailItem.mail_id.is_(None)).values(due_at=now),
        ):
            session.execute(changing.execution_options(synchronize_session=False))


def prune() -> None:
    """Remove some of the mails that were done with long ago, and their items with them."""
    old = select(Mail.id).where(Mail.finished_at < utcnow() - KEPT).order_by(Mail.finished_at).limit(BATCH)
    with transaction() as session:
        session.execute(delete(Mail).where(Mail.id.in_(old)).execution_options(synchronize_session=False))


def _give_up(session: Session, notification: MailNotification) -> None:
    limit = utcnow() - GIVE_UP
    mine = (Mail.notification_id == notification.id, Mail.finished_at.is_(None), Mail.created_at < limit)
    free = or_(Mail.lease_hash.is_(None), leases.expired(Mail))
    mails = session.scalars(select(Mail).where(*mine, free).with_for_update()).all()
    for mail in mails:
        mail.finished_at = utcnow()
    removing = delete(MailItem).where(*waiting(notification.id), MailItem.due_at < limit)
    removed = session.execute(removing.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
    if lost := removed + sum(mail.count for mail in mails if mail.sent_at is None):
        tell_of_loss(notification, lost, notification.last_error or NOBODY_TRIED)
