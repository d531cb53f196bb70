"""What the page of a notification says, as a browser without scripts sees it."""

from __future__ import annotations

import html
import re

import pytest
from flask.testing import FlaskClient

from mail.conftest import Notify
from support.api import Api
from support.browser import Browser
from support.postman import Postman
from support.smtp import MailServer

PAGE = "/ui/mail-notifications/1"


@pytest.fixture
def signed_in(client: FlaskClient) -> Browser:
    browser = Browser(client)
    browser.log_in()
    return browser


def panel(browser: Browser, name: str) -> str:
    """The panel's text, with the space between words as one sees it."""
    found = re.search(rf'<section [^>]*id="panel-{name}"[^>]*>(.*?)</section>', browser.get(PAGE).text, re.DOTALL)
    assert found
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[1])))


def test_without_a_mail_server_the_page_says_what_to_set(
    admin: Api, notify: Notify, postman: Postman, signed_in: Browser
) -> None:
    notify()
    admin.ok(admin.put("/api/settings/email", {"from_address": None}))
    postman.happen("HOST-1")
    postman.plan()
    state = panel(signed_in, "mail_state")
    assert "No mail server is set" in state
    assert re.search(r"Events that wait 1 Next mail \W Last mail \W", state)


def test_the_page_says_how_the_mail_server_fails_what_waits_and_until_when(
    notify: Notify, postman: Postman, mails: MailServer, signed_in: Browser
) -> None:
    notify()
    mails.refusal = "451 come back later"
    postman.happen("HOST-1", "HOST-2")
    postman.go()
    postman.happen("HOST-3")
    postman.plan()
    state = panel(signed_in, "mail_state")
    assert "451 come back later" in state
    assert "Events that wait 3 Next mail in a moment" in state
    assert "Pending 2 1 451 come back later" in panel(signed_in, "mail_latest")
    mails.refusal = ""
    postman.wait(seconds=11)
    postman.send()
    assert "451" not in panel(signed_in, "mail_state")
    assert "Sent 2 2" in panel(signed_in, "mail_latest")


def test_the_page_says_when_the_digest_comes(notify: Notify, postman: Postman, signed_in: Browser) -> None:
    notify(digest_minutes=60)
    postman.happen("HOST-1")
    postman.plan()
    postman.wait(minutes=9, seconds=30)
    assert "Events that wait 1 Next mail in 50 min" in panel(signed_in, "mail_state")
    assert "together, after 60 min" in panel(signed_in, "mail_wanted")


def test_the_page_shows_how_a_mail_looks(notify: Notify, signed_in: Browser) -> None:
    notify("job.failed", text_template="{{ events[0].data.entity.process.name }} of {{ notification.name }}")
    shown = panel(signed_in, "mail_sample")
    assert '[BV Orchestrator] notification 0: Job "1": failed. By User admin.' in shown
    assert "Daily report of notification 0" in shown


def test_events_that_no_plugin_declares_have_no_example(notify: Notify, signed_in: Browser) -> None:
    notify("holiday.created", text_template="{{ events[0].anything }}")
    assert "No event is known that it wants" in panel(signed_in, "mail_sample")


def test_a_template_that_fails_is_refused_beside_its_field(signed_in: Browser, notify: Notify) -> None:
    notify()
    answer = signed_in.fill(f"{PAGE}/edit", 422, text_template="{{ events[0].nothing }}")
    assert "has no attribute" in html.unescape(answer.text)
    assert '<a href="#field-text_template">' in answer.text
