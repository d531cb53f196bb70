"""The pages for those who forgot their password, as a browser without scripts sees them."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bvo_auth import accounts
from support.api import Api

HTML = {"Accept": "text/html"}
NEW = "another-passphrase"


@pytest.fixture
def link(admin: Api, app: Flask) -> str:
    """A link by which dana chooses a new password."""
    dana = {"username": "dana", "email": "dana@example.com", "password": "s3cret-passphrase"}
    admin.ok(admin.post("/api/access/users", dana))
    with app.app_context():
        return accounts.make_link("dana")


def send(client: FlaskClient, page: TestResponse, **typed: str) -> TestResponse:
    """Send the form of a page with what is hidden in it and what a person types."""
    form = re.search(r'<form[^>]* action="([^"]+)"', page.text)
    assert form
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    return client.post(form[1], data={**hidden, **typed}, headers=HTML)


def test_the_login_page_leads_to_the_form_which_says_where_no_mail_is_sent(client: FlaskClient) -> None:
    assert 'href="/ui/forgot"' in client.get("/ui/login", headers=HTML).text
    page = client.get("/ui/forgot", headers=HTML).text
    assert "This server sends no mail" in page
    assert "<input" not in page


def test_asking_for_a_link_is_answered_the_same_for_all(admin: Api, client: FlaskClient, link: str) -> None:
    admin.ok(admin.put("/api/settings/email", {"smtp_host": "mail.example.com", "from_address": "bvo@example.com"}))
    admin.ok(admin.put("/api/settings/general", {"public_url": "https://bvo.example.com"}))
    form = client.get("/ui/forgot", headers=HTML)
    answers = {send(client, form, username=name, email="dana@example.com").text for name in ("dana", "nobody")}
    assert len(answers) == 1
    assert "a link is on its way" in answers.pop()
    (first, second) = admin.ok(admin.get("/api/audit?action=auth.reset_requested"))["items"]
    assert {first["entity_name"], second["entity_name"]} == {"dana", "nobody"}


def test_a_form_that_is_not_filled_in_is_shown_again(client: FlaskClient) -> None:
    answer = client.post("/ui/forgot", data={"username": ""}, headers=HTML)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_a_link_leads_to_a_form_that_changes_the_password_once(client: FlaskClient, link: str) -> None:
    page = client.get(link, headers=HTML)
    assert client.get(link, headers=HTML).text == page.text  # to look at it uses nothing up
    assert "Password changed" in send(client, page, password=NEW).text
    form = {"username": "dana", "password": NEW}
    assert client.post("/ui/login", data=form).status_code == 302
    again = send(client, page, password="yet-another-passphrase")
    assert again.status_code == 401
    assert "used already" in again.text


def test_a_password_that_the_policy_refuses_leaves_the_link_as_it_is(client: FlaskClient, link: str) -> None:
    page = client.get(link, headers=HTML)
    refused = send(client, page, password="short")
    assert refused.status_code == 422
    assert "at least 8 characters" in refused.text
    assert "Password changed" in send(client, refused, password=NEW).text


def test_a_page_with_a_token_is_kept_nowhere_and_tells_nobody_its_address(client: FlaskClient, link: str) -> None:
    for response in (client.get(link, headers=HTML), client.get("/ui/forgot", headers=HTML)):
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert client.get("/ui/reset", headers=HTML).location == "/ui/forgot"


def test_what_is_typed_is_shown_as_text(client: FlaskClient) -> None:
    page = client.get("/ui/reset", query_string={"token": '"><script>alert(1)</script>'}, headers=HTML).text
    assert "<script>alert" not in page
