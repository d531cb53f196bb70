"""The pages of settings, as a browser without scripts sees them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from support.api import Api
from support.browser import Browser, Sheet
from support.smtp import MailServer
from support.state import State


@pytest.fixture
def signed_in(client: FlaskClient) -> Browser:
    browser = Browser(client)
    browser.log_in()
    return browser


def test_every_group_has_a_form_with_what_its_settings_declare(admin: Api, signed_in: Browser) -> None:
    first = signed_in.get("/ui/settings", 302).location
    assert 'href="/ui/settings"' in signed_in.get("/ui/").text
    page = signed_in.get(first).text
    for group in admin.ok(admin.get("/api/settings")):
        assert f'href="/ui/settings/{group}"' in page
        sheet = signed_in.form(f"/ui/settings/{group}")
        described = admin.ok(admin.get("/api/settings-schema"))[group]["properties"]
        for name, declared in described.items():
            assert declared["description"] in sheet.texts[f"field-{name}-hint"]
    assert "Default: 480 min." in signed_in.get("/ui/settings/security").text
    signed_in.get("/ui/settings/none", 404)


def test_what_was_touched_is_stored(admin: Api, signed_in: Browser) -> None:
    answer = signed_in.fill("/ui/settings/security", allowed_domains="example.com\r\nexample.org\r\n")
    assert "Security: the settings were saved." in signed_in.get(answer.location).text
    stored = admin.ok(admin.get("/api/settings/security"))
    assert stored["allowed_domains"] == ["example.com", "example.org"]
    (event,) = admin.ok(admin.get("/api/audit?action=settings.update"))["items"]
    assert event["message"] == "The settings security were changed."
    signed_in.fill("/ui/settings/security")
    assert len(admin.ok(admin.get("/api/audit?action=settings.update"))["items"]) == 1


def test_a_wrong_value_comes_back_beside_its_field(signed_in: Browser, admin: Api, state: State) -> None:
    sheet = signed_in.form("/ui/settings/security")
    with state.unchanged():
        answer = signed_in.send(sheet, 422, session_minutes="1", password_min_length="x")
    again = Sheet(answer.text)
    assert again.error("session_minutes")
    assert again.error("password_min_length")
    assert again.sends["password_min_length"] == "x"


def test_a_setting_goes_back_to_its_default(admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.put("/api/settings/security", {"session_minutes": 60, "password_min_length": 10}))
    sheet = signed_in.form("/ui/settings/security")
    signed_in.send(sheet, reset="session_minutes", password_min_length="12")
    stored = admin.ok(admin.get("/api/settings/security"))
    assert (stored["session_minutes"], stored["password_min_length"]) == (480, 10)
    signed_in.send(sheet, 404, reset="nothing")


def test_a_secret_is_written_kept_and_removed_but_never_shown(admin: Api, signed_in: Browser) -> None:
    assert "Leave it empty to keep" not in signed_in.get("/ui/settings/email").text
    signed_in.fill("/ui/settings/email", smtp_password="canary", smtp_host="mail.example.com")
    page = signed_in.get("/ui/settings/email").text
    assert "canary" not in page
    assert "Leave it empty to keep" in page
    signed_in.fill("/ui/settings/email", smtp_port="25")
    assert admin.ok(admin.get("/api/settings/email"))["smtp_password"] == "***"
    signed_in.fill("/ui/settings/email", reset="smtp_password")
    assert admin.ok(admin.get("/api/settings/email"))["smtp_password"] is None


def test_what_somebody_else_stored_meanwhile_is_shown(admin: Api, signed_in: Browser) -> None:
    sheet = signed_in.form("/ui/settings/general")
    admin.ok(admin.put("/api/settings/general", {"instance_name": "Theirs"}))
    again = Sheet(signed_in.send(sheet, 412, instance_name="Mine").text)
    assert again.sends["instance_name"] == "Mine"
    assert "Theirs" in again.texts["field-instance_name-theirs"]
    signed_in.send(again)
    assert admin.ok(admin.get("/api/settings/general"))["instance_name"] == "Mine"


def test_a_test_mail_is_sent_and_a_failure_is_told(admin: Api, signed_in: Browser) -> None:
    assert "Send a test mail" not in signed_in.get("/ui/settings/email").text
    with MailServer() as mails:
        admin.ok(admin.put("/api/settings/email", mails.settings))
        sheet = signed_in.form("/ui/settings/email", "/ui/settings/email/test")
        signed_in.send(sheet, 422, to="nobody")
        signed_in.send(sheet, to="ops@example.com")
    sheet = signed_in.form("/ui/settings/email", "/ui/settings/email/test")
    assert "The mail was not sent." in signed_in.send(sheet, 502, to="ops@example.com").text


def test_who_may_only_look_can_change_nothing(user_with: Callable[..., Api], client: FlaskClient, state: State) -> None:
    user_with("settings:view")
    browser = Browser(client)
    browser.log_in("user-1", "correct horse")
    sheet = browser.form("/ui/settings/general")
    assert '<fieldset class="fields" disabled>' in sheet.page
    assert ">Save<" not in sheet.page
    with state.denied():
        browser.send(sheet, 403, instance_name="Mine")


def test_nothing_is_stored_without_the_token_of_the_form(signed_in: Browser, state: State) -> None:
    for path, action in (("/ui/settings/general", ""),):
        sheet = signed_in.form(path, action)
        with state.unchanged():
            signed_in.send(sheet, 403, csrf_token=None, instance_name="Mine")
