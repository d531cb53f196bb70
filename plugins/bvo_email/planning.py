"""What is to be mailed: events become items of the notifications that want them, and items that are due a mail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bvo.database import db, transaction, utcnow
from bvo_events.cloud_events import matches
from bvo_events.wanted import fits
from bvo_hookspecs import Event

from .models import Mail, MailItem, MailNotification

TESTED = "mail_notification.tested"
PLANNED = 100
"""Events whose items are added at once."""
PAUSE = timedelta(seconds=10)
"""So long after one mail the next one of a notification goes out at the earliest."""


def accepts(event_type: str) -> bool:
    """Whether any notification wants events of this type."""
    active = select(MailNotification.event_types).where(MailNotification.is_active)
    return event_type == TESTED or any(matches(types, event_type) for types in db.session.scalars(active))


def plan(events: Sequence[Event]) -> None:
    """Add an item for each event and each active notification that wants it; one that is there stays as it is."""
    active = select(MailNotification).where(MailNotification.is_active).order_by(MailNotification.id)
    with transaction() as session:
        kept = session.scalars(active.with_for_update(read=True, key_share=True)).all()  # none is deleted meanwhile
        rows = [_item(notification, event) for notification in kept for event in events if _wants(notification, event)]
        if rows:
            dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
            session.execute(dialect.insert(MailItem).on_conflict_do_nothing(), rows)


def make_mails() -> None:
    """Make a mail of all that waits, for each notification where something is due."""
    ready = db.session.scalars(select(MailNotification.id).where(*_ready()).order_by(MailNotification.id)).all()
    for notification_id in ready:
        with transaction() as session:
            _make_mail(session, notification_id)


def waiting(notification_id: Any) -> tuple[ColumnElement[bool], ...]:
    """The conditions of the items that are in no mail yet."""
    return MailItem.notification_id == notification_id, MailItem.mail_id.is_(None)


def _wants(notification: MailNotification, event: Event) -> bool:
    """A test is for the notification that is tested, whatever it wants."""
    if event.type == TESTED:
        return event.entity_id == str(notification.id)
    return fits(notification.event_types, notification.filters, event)


def _item(notification: MailNotification, event: Event) -> dict[str, Any]:
    """The columns of a new item. Of a test nobody waits for the digest."""
    wait = timedelta(minutes=0 if event.type == TESTED else notification.digest_minutes)
    return {"notification_id": notification.id, "place": event.place, "due_at": utcnow() + wait}


def _ready() -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a notification gets a mail now."""
    now, its = utcnow(), MailNotification.id
    due = select(MailItem.place).where(*waiting(its), MailItem.due_at <= now)
    held = select(Mail.notification_id).where(Mail.finished_at.is_(None), Mail.holds_others)
    last = MailNotification.last_sent_at
    rested = or_(last.is_(None), last <= now - PAUSE, last > now)  # the last: the clock was set back
    return MailNotification.is_active.is_(True), due.exists(), its.not_in(held), rested


def _make_mail(session: Session, notification_id: int) -> None:
    """Look again with the notification locked: another worker may have made the mail."""
    mine = MailNotification.id == notification_id
    session.execute(select(MailNotification.id).where(mine).with_for_update())
    if session.scalar(select(MailNotification.id).where(mine, *_ready())) is None:
        return
    now = utcnow()
    mail = Mail(notification_id=notification_id, message_id=uuid4().hex, count=0, created_at=now, available_at=now)
    session.add(mail)
    session.flush()
    taking = update(MailItem).where(*waiting(notification_id)).values(mail_id=mail.id)
    mail.count = session.execute(taking.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
