"""The panels of an e-mail notification."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint
from sqlalchemy import Select, func, select

from bvo import mail
from bvo.database import db, utcnow
from bvo_hookspecs import DetailPanel

from . import writing
from .models import Mail, MailItem, MailNotification
from .planning import waiting
from .rendering import TemplateFailed

SHOWN = 20
MOST = 1000
SOON = timedelta(minutes=1)

templates = Blueprint("mail_notification_templates", __name__, template_folder="templates")


def state_panel(notification_id: int) -> dict[str, Any]:
    """How it goes, what waits, up to MOST, and when it is sent."""
    notification = db.session.get_one(MailNotification, notification_id)
    some = select(MailItem.place).where(*waiting(notification_id)).limit(MOST)
    newest = db.session.scalars(_newest(notification_id).limit(1)).one_or_none()
    under_way = newest if newest and newest.finished_at is None and newest.holds_others else None
    count = len(db.session.scalars(some).all()) + (under_way.count if under_way else 0)
    due = db.session.scalar(select(func.min(MailItem.due_at)).where(*waiting(notification_id)))
    next_at, set_up = under_way.available_at if under_way else due, mail.is_set_up()
    if not set_up or not notification.is_active:
        next_at = None
    told = {"notification": notification, "count": count, "most": MOST, "set_up": set_up, "next_at": next_at}
    return {**told, "is_soon": next_at is not None and next_at <= utcnow() + SOON, "live": bool(count)}


def wanted_panel(notification_id: int) -> dict[str, Any]:
    return {"notification": db.session.get_one(MailNotification, notification_id)}


def sample_panel(notification_id: int) -> dict[str, Any]:
    """How a mail looks, made of an example."""
    notification = db.session.get_one(MailNotification, notification_id)
    try:
        return {"letter": writing.sample(notification), "problem": ""}
    except TemplateFailed as error:
        return {"letter": None, "problem": str(error)}


def latest_panel(notification_id: int) -> dict[str, Any]:
    return {"mails": db.session.scalars(_newest(notification_id).limit(SHOWN)).all(), "live": True}


def _newest(notification_id: int) -> Select[Mail]:
    """Of its mails the newest first: the one that others wait for is the first."""
    return select(Mail).where(Mail.notification_id == notification_id).order_by(Mail.id.desc())


PANELS = (
    DetailPanel(
        name="mail_state",
        entity_type="mail_notification",
        title="State",
        template="bvo_email/state_panel.html",
        context=state_panel,
        order=10,
        covers=("is_active", "last_sent_at", "failing_since", "last_error"),
    ),
    DetailPanel(
        name="mail_wanted",
        entity_type="mail_notification",
        title="Who is told what",
        template="bvo_email/wanted_panel.html",
        context=wanted_panel,
        order=15,
        covers=("recipients", "event_types", "filters", "digest_minutes"),
    ),
    DetailPanel(
        name="mail_latest",
        entity_type="mail_notification",
        title="Latest mails",
        template="bvo_email/latest_panel.html",
        context=latest_panel,
        order=20,
    ),
    DetailPanel(
        name="mail_sample",
        entity_type="mail_notification",
        title="How a mail looks",
        template="bvo_email/sample_panel.html",
        context=sample_panel,
        order=30,
        covers=("subject_template", "text_template"),
    ),
)
