"""Mails of real servers, one of which is killed at its work."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, text

from support.databases import Databases
from support.postman import until
from support.servers import Server
from support.smtp import MailServer, text_of


def test_a_mail_whose_sender_was_killed_before_it_knew_comes_again_as_the_same(
    databases: Databases, tmp_path: Path, mails: MailServer
) -> None:
    url = databases.fresh()
    mails.acknowledging.clear()
    with Server(tmp_path, BVO_DATABASE_URL=url) as server:
        server.log_in()
        server.call("PUT", "/api/settings/email", json=mails.settings)
        told = {"name": "Machines", "recipients": ["ops@example.com"], "event_types": ["machine.created"]}
        server.call("POST", "/api/mail-notifications", json=told)
        server.call("POST", "/api/machines", json={"name": "HOST-1"})
        until(lambda: len(mails.received) == 1)
        server.kill()
        mails.acknowledging.set()
        database = create_engine(url)
        with database.begin() as connection:
            connection.execute(text("UPDATE mails SET lease_expires_at = '2000-01-01 00:00:00.000000'"))
        database.dispose()
        server.start()
        until(lambda: len(mails.received) == 2)
        server.call("POST", "/api/machines", json={"name": "HOST-2"})
        until(lambda: len(mails.received) == 3)
    first, again, other = mails.received
    assert (first["Message-ID"], text_of(first)) == (again["Message-ID"], text_of(again))
    assert "HOST-2" in other["Subject"]
    assert other["Message-ID"] != first["Message-ID"]
