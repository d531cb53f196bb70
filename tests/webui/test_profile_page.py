"""The page of one's own account, as a browser without scripts sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from support.api import Api
from support.browser import Browser, Sheet
from support.state import State

NEW = "battery staple"


@pytest.fixture
def dana(user_with: Callable[..., Api], client: FlaskClient) -> Browser:
    user_with("jobs:view", "jobs:create", "api_tokens:view", "api_tokens:create")
    browser = Browser(client)
    browser.log_in("user-1", "correct horse")
    return browser


def test_one_sees_who_one_is_and_what_one_may(admin: Api, dana: Browser) -> None:
    assert 'href="/ui/profile"' in dana.get("/ui/").text
    page = dana.get("/ui/profile").text
    assert "role-1" in page
    assert '<th scope="row">Jobs</th>' in page
    assert '<th scope="row">Robots</th>' not in page
    assert 'href="/ui/api-tokens/new"' in page


def test_a_password_is_changed_by_who_knows_the_old_one(app: Flask, dana: Browser) -> None:
    other = Browser(app.test_client())
    other.log_in("user-1", "correct horse")
    sheet = dana.form("/ui/profile", "/ui/profile/password")
    again = Sheet(dana.send(sheet, 422, current_password="wrong", new_password=NEW).text, "/ui/profile/password")
    assert again.error("current_password") == "This is not your password."
    assert NEW not in again.page
    short = Sheet(dana.send(again, 422, current_password="correct horse", new_password="x").text, sheet.action)
    assert short.error("new_password")
    dana.send(short, current_password="correct horse", new_password=NEW)
    assert "Your password was changed." in dana.get("/ui/profile").text, "this browser stays signed in"
    other.get("/ui/profile", 302)
    other.log_in("user-1", NEW)


def test_guessing_the_old_password_takes_longer_and_longer(dana: Browser) -> None:
    for _ in range(10):
        dana.send(dana.form("/ui/profile", "/ui/profile/password"), 422, current_password="wrong", new_password=NEW)
    sheet = dana.form("/ui/profile", "/ui/profile/password")
    refused = dana.send(sheet, 429, current_password="correct horse", new_password=NEW)
    assert int(refused.headers["Retry-After"]) > 0


def test_a_session_elsewhere_is_ended(app: Flask, admin: Api, dana: Browser, state: State) -> None:
    other = Browser(app.test_client())
    other.log_in("user-1", "correct horse")
    session = state.rows("sessions")[-1]["id"]
    dana.send(dana.form("/ui/profile", f"/ui/profile/sessions/{session}/end"))
    other.get("/ui/profile", 302)
    dana.get("/ui/profile")


def test_nobody_elses_session_is_ended_and_nothing_without_the_token(app: Flask, dana: Browser, state: State) -> None:
    somebody = Browser(app.test_client())
    somebody.log_in()
    session = state.rows("sessions")[-1]["id"]
    sheet = dana.form("/ui/profile", "/ui/profile/password")
    sheet.action = f"/ui/profile/sessions/{session}/end"
    dana.send(sheet, 404)
    somebody.get("/ui/profile")
    for action in (sheet.action, "/ui/profile/password"):
        sheet.action = action
        with state.unchanged():
            dana.send(sheet, 403, csrf_token=None, current_password="correct horse", new_password=NEW)


def test_the_tokens_are_ones_own(admin: Api, dana: Browser) -> None:
    admin.ok(admin.post("/api/api-tokens", {"name": "of-the-administrator", "scopes": ["jobs:view"]}))
    dana.fill("/ui/api-tokens/new", 200, name="of-dana", scopes=["jobs:view"])
    page = dana.get("/ui/profile").text
    assert "of-dana" in page
    assert "of-the-administrator" not in page
