"""The entity type `mail_notification`."""

from __future__ import annotations

from marshmallow import fields

from bvo.entities import everything, flag, search
from bvo_hookspecs import Action, EntityType, EventType, NavItem

from .models import MailNotification
from .planning import TESTED
from .schemas import NotificationIn, NotificationOut
from .service import NotificationService

NOTIFICATION = EntityType(
    name="mail_notification",
    plural="mail_notifications",
    label="E-mail notification",
    model=MailNotification,
    read_schema=NotificationOut,
    write_schema=NotificationIn,
    service=NotificationService,
    scope=everything,
    columns=("id", "name", "recipients", "event_types", "is_active", "last_sent_at", "failing_since"),
    filters=(search(MailNotification.name), flag("is_active", MailNotification.is_active)),
    actions=(Action(name="test", label="Send a test", applies=lambda row: bool(row["is_active"])),),
    nav=NavItem(name="mail_notifications", label="E-mail notifications", order=84),
)

EVENT_TYPES = (
    EventType(
        name=TESTED,
        help="Somebody wanted a test to be mailed. It goes to this notification alone.",
        schema=NotificationOut,
    ),
    EventType(
        name="mail_notification.failed",
        help="So many events were mailed to nobody: the mail server has not taken them for days, or refused the mail.",
        schema=NotificationOut,
        metadata={
            "count": fields.Integer(metadata={"description": "How many events", "example": 12}),
            "error": fields.String(metadata={"example": "[Errno 111] Connection refused"}),
        },
    ),
)
