"""What the workers ask every second is answered by index, however much was mailed in the last seven days."""

from __future__ import annotations

import re

from flask import Flask
from sqlalchemy import insert, text

from bvo.database import db, transaction, utcnow
from bvo_email import ending, planning, senders
from bvo_email.models import Mail, MailItem
from mail.conftest import Notify
from support.plans import plan, statements


def test_of_what_was_mailed_nothing_is_looked_through(app: Flask, notify: Notify) -> None:
    notify()
    now = utcnow()
    done = {"created_at": now, "available_at": now, "sent_at": now, "finished_at": now, "attempt": 1}
    numbers = range(1, 3001)
    with app.app_context():
        with transaction() as session:
            mail = {"notification_id": 1, "message_id": "x", "count": 1, **done}
            session.execute(insert(Mail), [{**mail, "id": number} for number in numbers])
            item = {"notification_id": 1, "due_at": now}
            session.execute(insert(MailItem), [{**item, "place": number, "mail_id": number} for number in numbers])
            if db.engine.dialect.name == "postgresql":
                session.execute(text("ANALYZE"))
        connection = db.session.connection()
        with statements(connection) as sent:
            planning.make_mails()
            senders.is_any_due()
            ending.give_up()
            ending.prune()
        plans = [plan(db.session.connection(), *each) for each in sent if "FROM mail" in each[0]]
    assert len(plans) == 4
    assert not re.search(r"SCAN (mails|mail_items)$|Seq Scan on mail(s|_items)|ix_mails_notification", "\n".join(plans))
