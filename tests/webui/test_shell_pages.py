"""What is around every page: finding things by name, messages, plugins and their health, and the ways out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bvo import consumers
from bvo.worker import Worker
from bvo_hookspecs import DashboardCard, HealthCheck, WebhookEmitter
from support.api import Api
from support.browser import Browser
from support.walls import happen


@pytest.fixture
def signed_in(client: FlaskClient) -> Browser:
    browser = Browser(client)
    browser.log_in()
    return browser


def found(browser: Browser, text: str) -> dict[str, str]:
    answer = browser.client.get("/ui/palette", query_string={"q": text}).get_json()
    return {each["label"]: each["url"] for each in answer["results"]}


def test_rows_are_found_by_name_in_any_spelling_and_by_number(admin: Api, signed_in: Browser) -> None:
    process = admin.a_process("Invoice import")
    job = admin.a_job(process)["id"]
    for text in ("Invoice", "invoice", "INVOICE", "import"):
        assert found(signed_in, text)["Invoice import"] == f"/ui/processes/{process['id']}"
    assert found(signed_in, f"#{job}")[f"Job #{job}"] == f"/ui/jobs/{job}"
    assert "Invoice import" not in found(signed_in, "in_oice")
    page = signed_in.get("/ui/search?q=invoice").text
    assert f'<a href="/ui/processes/{process["id"]}">Invoice import</a>' in page


def test_pages_are_found_and_come_first(signed_in: Browser) -> None:
    assert next(iter(found(signed_in, "jobs").items())) == ("Jobs", "/ui/jobs/")
    assert found(signed_in, "new queue")["New queue"] == "/ui/queues/new"
    assert found(signed_in, "")["Audit log"] == "/ui/audit/"
    assert found(signed_in, "99999999999999999999") == {}


def test_nothing_is_found_that_one_may_not_see(admin: Api, user_with: Callable[..., Api], client: FlaskClient) -> None:
    admin.a_process("Payroll")
    user_with("queues:view")
    browser = Browser(client)
    browser.log_in("user-1", "correct horse")
    assert found(browser, "payroll") == {}
    assert found(browser, "jobs") == {}
    assert found(browser, "plugins") == {}
    browser.get("/ui/plugins", 403)


def test_a_wrong_address_offers_to_search(signed_in: Browser) -> None:
    assert 'action="/ui/search"' in signed_in.get("/ui/jobs/4711", 404).text


def test_plugins_show_their_health_and_what_failed_last(contribute: Callable[..., None], signed_in: Browser) -> None:
    add = partial(contribute, name="queues")
    add(HealthCheck(name="backlog", check=lambda: None))
    page = signed_in.get("/ui/plugins").text
    assert "Backlog: ok" in page
    assert "Unhealthy" not in page
    add(HealthCheck(name="disk", check=lambda: 1 / 0))
    add(
        DashboardCard(
            name="odd", title="Odd", template="x.html", context=lambda: {"x": 1 / 0}, permission="queues:view"
        )
    )
    signed_in.get("/ui/")
    page = signed_in.get("/ui/plugins").text
    assert "Disk: failed" in page
    assert "Unhealthy" in page
    assert "ZeroDivisionError: division by zero" in page


def test_plugins_show_why_events_wait_for_an_emitter(
    contribute: Callable[..., None], app: Flask, signed_in: Browser
) -> None:
    contribute(WebhookEmitter(name="odd", deliver=lambda events: 1 / 0, accepts={"wall.built"}.__contains__), "queues")
    with app.app_context():
        consumers.enroll()
        happen("tower")
        happen("fence")
        Worker(app).step()
    page = signed_in.get("/ui/plugins").text
    assert "emitter:odd of the plugin queues: ZeroDivisionError: division by zero" in page
    assert "Things whose events wait for another try: 2" in page


def test_who_is_signed_in_is_not_told_otherwise(signed_in: Browser) -> None:
    assert signed_in.get("/ui/logged-out", 302).location == "/ui/"
