"""Changing e-mail notifications, and sending a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_smorest import abort
from sqlalchemy import update
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict

from bvo import events
from bvo.database import transaction, utcnow
from bvo.entities import Creates, Deletes, Updates

from . import writing
from .models import Mail, MailNotification
from .rendering import TemplateFailed


class NotificationService(Creates[MailNotification], Updates[MailNotification], Deletes[MailNotification]):
    """Create, change, delete, test. Templates are tried on every kind of event that the notification wants."""

    empty_template = "bvo_email/mail_notifications_empty.html"

    def create(self, data: Mapping[str, Any]) -> MailNotification:
        with transaction():
            notification = super().create(data)
            _check_templates(notification)
            return notification

    def update(self, row_id: int, data: Mapping[str, Any]) -> MailNotification:
        """Change it. What waits is tried at once, whatever it failed at before."""
        with transaction() as session:
            notification = self._tried_now(session, row_id)
            self.change(session, notification, data)
            _check_templates(notification)
            return notification

    def test(self, row_id: int) -> MailNotification:
        """Mail it the event `mail_notification.tested`, in the way of all others. Raises Conflict where not active."""
        with transaction() as session:
            notification = self._tried_now(session, row_id)
            if not notification.is_active:
                raise Conflict(
                    f"The e-mail notification {notification.name} is not active, so nothing is sent. Activate it first."
                )
            events.emit("tested", self.entity, notification)
            return notification

    def _tried_now(self, session: Session, row_id: int) -> MailNotification:
        """The notification, whose mails wait no longer: somebody wants to see."""
        notification = self.get(row_id)
        session.refresh(notification, with_for_update=True)  # what is sent at the same time is settled before, or after
        mine = (Mail.notification_id == row_id, Mail.finished_at.is_(None), Mail.lease_hash.is_(None))
        trying = update(Mail).where(*mine).values(available_at=utcnow())
        session.execute(trying.execution_options(synchronize_session=False))
        return notification


def _check_templates(notification: MailNotification) -> None:
    """Refuse, with 422, a template that fails for an event that the notification wants."""
    wrong: dict[str, list[str]] = {}
    for field, most in (("subject_template", writing.SUBJECT_MOST), ("text_template", writing.TEXT_MOST)):
        try:
            if source := getattr(notification, field):
                writing.check(source, most, notification)
        except TemplateFailed as error:
            wrong[field] = [str(error)]
    if wrong:
        abort(422, messages={"json": wrong})
