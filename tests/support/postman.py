"""E-mail notifications in tests: what carries events, mails and time forward."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select

from bvo import events
from bvo.database import Base, UTCDateTime, db, transaction
from bvo_email import ending, planning, sending
from bvo_email.models import Mail, MailItem, MailNotification
from support.hooks import Mover


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Return as soon as it holds. Another thread or process sees to it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


class Postman:
    """Does what workers do, now, in this thread."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def plan(self) -> None:
        """What is in the log waits to be mailed."""
        Mover(self.app).plan()

    def send(self) -> int:
        """Everything that is due; returns how often the mail server was tried."""
        with self.app.app_context():
            planning.make_mails()
        count = 0
        while sending.send_next(self.app):
            count += 1
        return count

    def go(self) -> int:
        self.plan()
        return self.send()

    def give_up(self) -> None:
        with self.app.app_context():
            ending.give_up()

    def happen(self, *names: str, **row: Any) -> None:
        """Queues of these names were changed, it is said."""
        with self.app.app_context(), transaction():
            for number, name in enumerate(names, 1):
                events.record(
                    type="queue.updated",
                    entity_type="queue",
                    entity_label="Queue",
                    entity_id=str(number),
                    entity_name=name,
                    message=f"{name} was changed.",
                    after={"id": number, "name": name, **row},
                )

    def wait(self, **time: float) -> None:
        """So much time passes: `minutes=5`. Whatever has a time is older then."""
        models: tuple[type[Base], ...] = (MailNotification, Mail, MailItem)
        with self.app.app_context(), transaction() as session:
            for model in models:
                times = [column.key for column in model.__table__.columns if isinstance(column.type, UTCDateTime)]
                for row in session.scalars(select(model)):
                    for key in times:
                        at: datetime | None = getattr(row, key)
                        setattr(row, key, at and at - timedelta(**time))

    def mails(self) -> list[Mail]:
        return self._every(Mail)

    def items(self) -> list[MailItem]:
        return self._every(MailItem)

    def _every(self, model: Any) -> list[Any]:
        with self.app.app_context():
            found = list(db.session.scalars(select(model).order_by(*model.__table__.primary_key)))
            db.session.expunge_all()
            return found
