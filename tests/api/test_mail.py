"""Mail through a real SMTP server: what the settings make of it, and the link for a forgotten password."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from bvo import mail
from bvo.consumers import HeldEvents
from bvo.database import transaction, utcnow
from bvo.worker import Worker
from support.api import Api
from support.problems import refused
from support.smtp import MailServer, make_certificate
from support.state import State

TEST = "/api/settings/email/test"
LOGIN = ("bvo", "canary-4711")
DANA = {"username": "dana", "email": "Dana@example.com", "password": "s3cret-passphrase"}
NEW = "another-passphrase"


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One for localhost, which this process trusts."""
    made = make_certificate(tmp_path / "certificate.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    return made


@pytest.fixture
def offered(admin: Api, mails: MailServer) -> None:
    """Dana exists, and the server can send links."""
    admin.ok(admin.post("/api/access/users", DANA))
    use(admin, mails)
    admin.ok(admin.put("/api/settings/general", {"public_url": "https://bvo.example.com/"}))


def use(admin: Api, server: MailServer, **other: Any) -> None:
    admin.ok(admin.put("/api/settings/email", {**server.settings, **other}))


def try_it(admin: Api) -> Any:
    return admin.post(TEST, {"to": "ops@example.com"})


def forget(anonymous: Api, username: str = "dana", email: str = "dana@example.com") -> None:
    answer = anonymous.ok(anonymous.post("/api/auth/forgot", {"username": username, "email": email}))
    assert answer == {"status": "ok"}


def work_off(app: Flask) -> None:
    worker = Worker(app)
    while worker.step():
        pass


def link_in(message: EmailMessage) -> str:
    found = re.search(r"https://\S+", message.get_content())
    assert found
    return found[0]


# --- the settings of the group email


@pytest.mark.shows_setting("email.smtp_host", "email.smtp_port", "email.from_address")
def test_a_test_mail_comes_from_the_sender_through_the_server_of_the_settings(admin: Api, mails: MailServer) -> None:
    use(admin, mails, from_address="robots@example.com")
    assert admin.ok(try_it(admin)) == {"status": "ok"}
    (message,) = mails.received
    assert (message["From"], message["To"]) == ("robots@example.com", "ops@example.com")
    assert message["Subject"] == "BV Orchestrator: test"
    assert message["Message-ID"].endswith("@example.com>")
    (event,) = admin.ok(admin.get("/api/audit?action=settings.mail_test"))["items"]
    assert "ops@example.com" in event["message"]


@pytest.mark.parametrize("missing", ["smtp_host", "from_address"])
def test_without_server_or_sender_no_mail_is_sent(admin: Api, mails: MailServer, missing: str) -> None:
    use(admin, mails, **{missing: None})
    refused(try_it(admin), 422, "smtp_host and from_address")
    assert mails.received == []


@pytest.mark.shows_setting("email.smtp_security", "email.smtp_username", "email.smtp_password")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_connection_is_encrypted_and_logged_in(admin: Api, certificate: Path, security: str) -> None:
    with MailServer(security, certificate, LOGIN) as server:
        use(admin, server)
        admin.ok(try_it(admin))
        assert len(server.received) == 1


def test_a_server_without_encryption_is_refused_where_it_is_asked_for(admin: Api, mails: MailServer) -> None:
    use(admin, mails, smtp_security="starttls")
    refused(try_it(admin), 502, "STARTTLS")
    assert mails.received == []


def test_a_certificate_that_nobody_trusts_is_refused(admin: Api, tmp_path: Path) -> None:
    with MailServer("starttls", make_certificate(tmp_path / "own.pem"), LOGIN) as server:
        use(admin, server)
        refused(try_it(admin), 502, "certificate")


def test_a_refused_login_is_told_without_the_password(admin: Api, certificate: Path, state: State) -> None:
    with MailServer("starttls", certificate, LOGIN) as server:
        use(admin, server, smtp_password="canary-4712")
        told = refused(try_it(admin), 502, "535", "is not known here")
    assert "canary" not in str(told)
    assert "canary" not in str(state.everything())


def test_a_recipient_that_the_server_refuses_is_told(admin: Api, mails: MailServer) -> None:
    mails.refusal = "550 5.1.1 no such user"
    use(admin, mails)
    refused(try_it(admin), 502, "550 5.1.1 no such user")


def test_a_server_that_is_not_there_is_told(admin: Api) -> None:
    with MailServer() as gone:
        pass
    use(admin, gone)
    refused(try_it(admin), 502, "localhost", "refused")


def test_a_server_that_says_nothing_is_not_waited_for(admin: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        values = {"smtp_host": "127.0.0.1", "smtp_port": silent.getsockname()[1], "from_address": "a@example.com"}
        admin.ok(admin.put("/api/settings/email", values))
        refused(try_it(admin), 502, "timed out")


def test_no_header_can_be_smuggled_in(admin: Api, mails: MailServer, subtests: pytest.Subtests) -> None:
    use(admin, mails)
    for end in ("\nBcc: eve@example.com", "\r\nBcc: eve@example.com", "\u2028", ", eve@example.com"):
        with subtests.test(end):
            refused(admin.post(TEST, {"to": f"ops@example.com{end}"}), 422, "to")
            refused(admin.put("/api/settings/email", {"from_address": f"a@example.com{end}"}), 422, "from_address")
            if end[0] != ",":
                refused(admin.put("/api/settings/general", {"instance_name": f"name{end}"}), 422, "one line")
    assert mails.received == []


def test_who_may_not_edit_settings_sends_no_mail(admin: Api, user_with: Callable[..., Api], mails: MailServer) -> None:
    use(admin, mails)
    refused(try_it(user_with("settings:view")), 403, "settings:edit")
    assert mails.received == []


# --- a forgotten password


@pytest.mark.usefixtures("offered")
@pytest.mark.shows_setting("general.public_url")
def test_who_forgot_the_password_gets_a_link_that_changes_it(anonymous: Api, app: Flask, mails: MailServer) -> None:
    forget(anonymous)
    assert mails.received == []
    work_off(app)
    (message,) = mails.received
    assert message["To"] == "Dana@example.com"
    address, _, token = link_in(message).partition("?token=")
    assert address == "https://bvo.example.com/ui/reset"
    anonymous.ok(anonymous.post("/api/auth/reset", {"token": token, "newPassword": NEW}))
    form = {"username": "dana", "password": NEW}
    anonymous.ok(anonymous.post("/api/auth/login", data=form))


@pytest.mark.usefixtures("offered")
def test_the_token_of_the_link_is_nowhere_in_clear(anonymous: Api, app: Flask, mails: MailServer, state: State) -> None:
    forget(anonymous)
    work_off(app)
    token = link_in(mails.received[0]).partition("?token=")[2]
    assert len(token) > 40
    assert token not in str(state.everything())


@pytest.mark.usefixtures("offered")
def test_the_same_is_recorded_whoever_asks_and_nobody_else_gets_mail(
    admin: Api, anonymous: Api, app: Flask, mails: MailServer, state: State
) -> None:
    off = admin.ok(admin.post("/api/access/users", {**DANA, "username": "off", "email": "off@example.com"}))
    admin.ok(admin.put(f"/api/access/users/{off['id']}", {"is_active": False}))
    nobody = (("dana", "eve@example.com"), ("nobody", "dana@example.com"), ("off", "off@example.com"))
    grown = []
    for who in (*nobody, ("dana", "dana@example.com")):
        work_off(app)
        assert mails.received == []
        before = {table: len(rows) for table, rows in state.everything().items()}
        forget(anonymous, *who)
        grown.append({table: len(rows) - before[table] for table, rows in state.everything().items()})
        grown[-1].pop("attempt_counts")  # one row for each address, however often it asks
    assert grown[0]["events"] == 1
    assert [growth for growth in grown if growth != grown[0]] == []
    work_off(app)
    assert [message["To"] for message in mails.received] == ["Dana@example.com"]


@pytest.mark.usefixtures("offered")
def test_a_mail_that_the_server_did_not_take_is_sent_later(anonymous: Api, app: Flask, mails: MailServer) -> None:
    mails.refusal = "451 try again"
    forget(anonymous)
    work_off(app)
    assert mails.received == []
    mails.refusal = ""
    with app.app_context(), transaction() as session:
        session.execute(update(HeldEvents).values(available_at=utcnow()))
    work_off(app)
    assert len(mails.received) == 1


@pytest.mark.usefixtures("offered")
def test_a_user_is_not_flooded(anonymous: Api, app: Flask, mails: MailServer) -> None:
    for _ in range(3):
        forget(anonymous)
    work_off(app)
    forget(anonymous)
    work_off(app)
    assert len(mails.received) == 1


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize(("group", "key"), [("email", "smtp_host"), ("general", "public_url")])
def test_where_no_link_can_be_sent_the_log_says_what_to_set(
    admin: Api, app: Flask, mails: MailServer, caplog: pytest.LogCaptureFixture, group: str, key: str
) -> None:
    admin.ok(admin.put(f"/api/settings/{group}", {key: None}))
    forget(admin)
    work_off(app)
    assert mails.received == []
    assert f"{group}.{key}" in caplog.text
    assert "bvo reset-link" in caplog.text


def test_text_that_no_database_takes_is_refused(anonymous: Api, subtests: pytest.Subtests) -> None:
    for text in ("nul\0", "half \ud800 pair"):
        for body in ({"username": text, "email": "a@example.com"}, {"username": "dana", "email": text}):
            with subtests.test(str(body)):
                answer = anonymous.post("/api/auth/forgot", body)
                assert answer.status_code in (200, 400, 422), answer.text
