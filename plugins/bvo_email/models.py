"""Who is told what by mail, and what was or is to be mailed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bvo.database import Base, BigId, Timestamps
from bvo.leases import Leased

OPEN, FINISHED = text("finished_at IS NULL"), text("finished_at IS NOT NULL")
WAITING, MAILED = text("mail_id IS NULL"), text("mail_id IS NOT NULL")
"""Few are open or wait. No index has both, so that none of those that are done with are looked through."""


class MailNotification(Base, Timestamps):
    """People who are told of events by mail. `failing_since` and `last_error` tell how the mail server takes them."""

    __tablename__ = "mail_notifications"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    recipients: Mapped[list[str]]
    event_types: Mapped[list[str]]
    filters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    digest_minutes: Mapped[int] = mapped_column(default=0)
    subject_template: Mapped[str | None]
    text_template: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    last_sent_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    last_error: Mapped[str | None]


class Mail(Base, Leased):
    """One mail. What it tells is fixed when it is made, so that it is the same one however often it is sent.

    `recipients` are those who have not got it, where others have; else it goes to those of its notification. The next
    mail of the notification waits for it as long as it `holds_others`. `sent_at`: when anybody got it. `finished_at`:
    when it was done with, which without `sent_at` means that it was given up.
    """

    __tablename__ = "mails"
    __table_args__ = (
        Index("ix_mails_due", "available_at", "id", postgresql_where=OPEN, sqlite_where=OPEN),
        Index("ix_mails_notification", "notification_id", "id"),
        Index("ix_mails_finished_at", "finished_at", postgresql_where=FINISHED, sqlite_where=FINISHED),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    notification_id: Mapped[int] = mapped_column(ForeignKey(MailNotification.id, ondelete="CASCADE"))
    message_id: Mapped[str]
    recipients: Mapped[list[str] | None]
    count: Mapped[int]
    holds_others: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    available_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None]

    notification: Mapped[MailNotification] = relationship()


class MailItem(Base):
    """That an event is told to a notification. `place` is the event's in the log; without a mail it still waits."""

    __tablename__ = "mail_items"
    __table_args__ = (
        Index("ix_mail_items_waiting", "notification_id", "due_at", postgresql_where=WAITING, sqlite_where=WAITING),
        Index("ix_mail_items_mail", "mail_id", "place", postgresql_where=MAILED, sqlite_where=MAILED),
    )

    notification_id: Mapped[int] = mapped_column(
        ForeignKey(MailNotification.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    place: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    due_at: Mapped[datetime]
    mail_id: Mapped[int | None] = mapped_column(BigId, ForeignKey(Mail.id, ondelete="CASCADE"))
