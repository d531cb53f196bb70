"""The forms of entity types, as a browser without scripts sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bvo.forms import rows
from bvo_hookspecs import EntityType
from bvo_jobs.service import JobService
from support.api import Api
from support.browser import Browser, Sheet
from support.hooks import Mover
from support.state import State
from support.watch import an_alert


@pytest.fixture
def signed_in(client: FlaskClient) -> Browser:
    browser = Browser(client)
    browser.log_in()
    return browser


@pytest.fixture
def as_user(user_with: Callable[..., Api], client: FlaskClient) -> Callable[..., Browser]:
    """The browser of a new user with these permissions."""

    def make(*permissions: str) -> Browser:
        user_with(*permissions)
        browser = Browser(client)
        browser.log_in("user-1", "correct horse")
        return browser

    return make


def some_of_everything(admin: Api) -> None:
    admin.a_job()
    admin.a_robot()
    admin.ok(admin.post("/api/machines", {"name": "host-1"}))
    admin.ok(admin.post("/api/assets", {"name": "limit", "type": "int", "value": 42}))
    admin.ok(admin.post("/api/queues", {"name": "orders"}))
    admin.ok(admin.post("/api/queue-items", {"queue_name": "orders", "payload": {"order": 1}}))
    admin.ok(admin.post("/api/api-tokens", {"name": "ci", "scopes": ["jobs:view"]}))
    admin.ok(admin.post("/api/access/roles", {"name": "Operator"}))
    hook = {"name": "Tickets", "url": "https://example.com", "event_types": ["webhook.*"]}
    admin.ok(admin.post("/api/webhooks", hook))
    told = {"name": "Failed jobs", "recipients": ["ops@example.com"], "event_types": ["job.failed"]}
    admin.ok(admin.post("/api/mail-notifications", told))
    Mover(admin.client.application).plan()
    an_alert(admin)


def test_what_a_service_can_do_has_a_form_and_a_way_to_it(app: Flask, admin: Api, signed_in: Browser) -> None:
    some_of_everything(admin)
    for entity in app.extensions["bvo"].of(EntityType).values():
        path = f"/ui/{entity.plural.replace('_', '-')}"
        makes = entity.has("create") or entity.has("create_from_form")
        assert (f'href="{path}/new"' in signed_in.get(f"{path}/").text) == makes
        signed_in.get(f"{path}/new", 200 if makes else 404)
        row = 3 if entity.name == "role" else 1
        changes = entity.has("update")
        assert (f'href="{path}/{row}/edit"' in signed_in.get(f"{path}/{row}").text) == changes
        signed_in.get(f"{path}/{row}/edit", 200 if changes else 404)


def test_a_form_that_is_sent_as_it_came_changes_nothing(
    app: Flask, admin: Api, signed_in: Browser, state: State
) -> None:
    some_of_everything(admin)
    for entity in app.extensions["bvo"].of(EntityType).values():
        if entity.has("update"):
            row = 3 if entity.name == "role" else 1
            path = f"/ui/{entity.plural.replace('_', '-')}/{row}"
            sheet = signed_in.form(f"{path}/edit")
            with state.unchanged():
                assert signed_in.send(sheet).location == path
            assert ": nothing was changed." in signed_in.get(path).text


# --- creating


def test_a_row_is_created_as_through_the_api(admin: Api, signed_in: Browser) -> None:
    sheet = signed_in.form("/ui/queues/new")
    assert sheet.sends["max_retries"] == "2", "defaults are filled in"
    assert sheet.sends.getlist("is_active") == ["true"]
    assert "required" in sheet.attributes["name"]
    assert sheet.attributes["max_retries"]["max"] == "100"
    assert sheet.attributes["name"]["placeholder"] == "e.g. invoices"
    page = signed_in.send(
        sheet, name="invoices", max_retries="5", unique_references="true", description="first\r\nsecond"
    )
    assert page.location == "/ui/queues/1"
    assert 'Queue <a href="/ui/queues/1">invoices</a> was created.' in signed_in.get(page.location).text
    queue = admin.ok(admin.get("/api/queues/1"))
    assert (queue["max_retries"], queue["unique_references"], queue["is_active"]) == (5, True, True)
    assert queue["description"] == "first\nsecond"
    (event,) = admin.ok(admin.get("/api/audit?action=queue.create"))["items"]
    assert event["message"] == 'User admin created Queue "invoices".'


def test_wrong_input_comes_back_with_everything_that_was_typed(signed_in: Browser, state: State) -> None:
    sheet = signed_in.form("/ui/queues/new")
    answer = signed_in.send(sheet, 422, name="", max_retries="101", description="<b>long</b>", is_active=None)
    assert state.rows("queues") == []
    again = Sheet(answer.text)
    assert again.sends["description"] == "<b>long</b>"
    assert "<b>long</b>" not in answer.text
    assert again.sends["max_retries"] == "101"
    assert not again.sends.getlist("is_active")
    assert again.error("name") == "Fill this in."
    assert "100" in again.error("max_retries")
    for name in ("name", "max_retries"):
        assert again.attributes[name]["aria-invalid"] == "true"
        assert f'<a href="#field-{name}">' in answer.text
    assert "autofocus" in again.attributes["name"]
    assert "autofocus" not in again.attributes["max_retries"]
    assert "aria-invalid" not in again.attributes["description"]
    signed_in.send(again, name="invoices", max_retries="5")


def test_a_conflict_is_said_above_the_form_which_keeps_what_was_typed(admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.post("/api/queues", {"name": "orders"}))
    answer = signed_in.fill("/ui/queues/new", 409, name="orders", description="mine")
    assert "already exists" in Sheet(answer.text).texts["problems"]
    assert Sheet(answer.text).sends["description"] == "mine"


def test_json_is_checked_where_it_is_typed(admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.post("/api/queues", {"name": "orders"}))
    broken = '{\n  "order": 1 1\n}'
    again = Sheet(signed_in.fill("/ui/queue-items/new", 422, queue_id="1", payload=broken).text)
    assert "line 2" in again.error("payload")
    assert again.sends["payload"] == broken
    for wrong, words in (('"a\\u0000"', "NUL"), ("NaN", "nan"), ("[" * 100_000, "nest")):
        assert words in Sheet(signed_in.fill("/ui/queue-items/new", 422, queue_id="1", payload=wrong).text).error(
            "payload"
        )
    signed_in.send(again, payload='{"order": [1, null, "é"]}', priority="7")
    item = admin.ok(admin.get("/api/queue-items/1"))
    assert (item["payload"], item["priority"]) == ({"order": [1, None, "é"]}, 7)


def test_a_point_in_time_is_typed_in_utc(admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.post("/api/queues", {"name": "orders"}))
    page = signed_in.get("/ui/queue-items/new").text
    assert "(UTC)" in page
    signed_in.fill("/ui/queue-items/new", queue_id="1", deadline_at="2030-01-02T03:04")
    assert admin.ok(admin.get("/api/queue-items/1"))["deadline_at"] == "2030-01-02T03:04:00+00:00"
    sheet = signed_in.form("/ui/queue-items/1/edit")
    assert sheet.sends["deadline_at"] == "2030-01-02T03:04:00"
    assert sheet.sends["payload"] == ""
    again = Sheet(signed_in.send(sheet, 422, deadline_at="soon").text)
    assert again.error("deadline_at")
    assert again.sends["deadline_at"] == "soon"


def test_a_token_is_shown_once_on_the_page_after_the_creation(app: Flask, admin: Api, signed_in: Browser) -> None:
    sheet = signed_in.form("/ui/robots/new")
    page = signed_in.send(sheet, 200, name="robot-1")
    assert page.headers["Cache-Control"] == "no-store"
    (token,) = {word for word in page.text.replace("<", " ").replace(">", " ").split() if word.startswith("bvor_")}
    robot = Api(app.test_client(), **{"X-Robot-Token": token})
    robot.ok(robot.post("/api/runner/heartbeat", {}))
    assert "session" not in page.headers.get("Set-Cookie", ""), "it is in no cookie"
    assert token not in signed_in.get("/ui/robots/1").text
    again = signed_in.send(sheet, 200, name="robot-1")
    assert token in again.text, "whoever sends the form twice has not lost the token"
    assert len(admin.ok(admin.get("/api/robots"))) == 1


def test_a_form_that_is_sent_twice_creates_once(admin: Api, signed_in: Browser, state: State) -> None:
    sheet = signed_in.form("/ui/queue-items/new") if state.rows("queues") else signed_in.form("/ui/queues/new")
    first = signed_in.send(sheet, name="orders")
    with state.unchanged():
        second = signed_in.send(sheet, name="orders")
    assert first.location == second.location
    changed = signed_in.send(sheet, name="others")
    assert changed.location == "/ui/queues/2", "whoever goes back and enters something else means something else"


def test_of_a_double_click_both_get_the_answer(app: Flask, signed_in: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = signed_in.form("/ui/queues/new")
    cookies = {cookie.key: cookie.value for cookie in signed_in.client._cookies.values()}

    def send(_: int) -> Any:
        client = app.test_client()
        for name, value in cookies.items():
            client.set_cookie(name, value)
        return Browser(client).send(sheet, name="orders").location

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(send, range(2))) == {"/ui/queues/1"}


def test_the_address_may_fill_in_a_form(admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.post("/api/queues", {"name": "orders"}))
    sheet = signed_in.form("/ui/queue-items/new?queue_id=1&priority=7&csrf_token=x&nonsense=1")
    assert (sheet.sends["queue_id"], sheet.sends["priority"]) == ("1", "7")
    assert sheet.sends["csrf_token"] != "x"


# --- what rows refer to


def test_a_foreign_key_is_chosen_by_name(admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.post("/api/machines", {"name": "host-1"}))
    sheet = signed_in.form("/ui/robots/new")
    assert sheet.options["machine_id"] == ["", "1"]
    assert ">host-1</option>" in sheet.page
    signed_in.send(sheet, 200, name="robot-1", machine_id="1")
    assert admin.ok(admin.get("/api/robots/1"))["machine_id"] == 1
    signed_in.fill("/ui/robots/1/edit", machine_id="")
    assert admin.ok(admin.get("/api/robots/1"))["machine_id"] is None


def test_of_many_rows_one_types_the_name(admin: Api, signed_in: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_OPTIONS", 2)
    for name in ("alpha", "beta", "beta 2"):
        admin.ok(admin.post("/api/machines", {"name": name}))
    sheet = signed_in.form("/ui/robots/new")
    assert sheet.attributes["machine_id"]["list"] == "field-machine_id-list"
    suggestions = signed_in.get("/ui/machines/suggestions?of=machine_id&machine_id=bet").text
    assert 'value="beta #2"' in suggestions
    assert "alpha" not in suggestions
    for number, typed in enumerate(("beta", "3", "beta 2 #3"), 1):
        signed_in.send(signed_in.form("/ui/robots/new"), 200, name=f"robot-{number}", machine_id=typed)
    assert [robot["machine_id"] for robot in admin.ok(admin.get("/api/robots"))] == [3, 3, 2]
    assert signed_in.form("/ui/robots/1/edit").sends["machine_id"] == "beta #2"
    again = Sheet(signed_in.send(sheet, 422, name="x", machine_id="gamma").text)
    assert "gamma" in again.error("machine_id")
    assert again.sends["machine_id"] == "gamma"


def test_who_may_not_see_the_others_types_a_number(admin: Api, as_user: Callable[..., Browser]) -> None:
    admin.ok(admin.post("/api/machines", {"name": "secret-host"}))
    browser = as_user("robots:view", "robots:create")
    page = browser.form("/ui/robots/new")
    assert "secret-host" not in page.page
    browser.get("/ui/machines/suggestions?of=machine_id&machine_id=s", 403)
    assert "secret-host" in Sheet(browser.send(page, 422, name="r", machine_id="secret-host").text).error("machine_id")
    browser.send(page, 200, name="r", machine_id="1")
    assert admin.ok(admin.get("/api/robots"))[0]["machine_id"] == 1


# --- changing


def test_only_what_was_touched_changes(admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.post("/api/queues", {"name": "orders", "description": "old", "max_retries": 5}))
    assert signed_in.fill("/ui/queues/1/edit", name="invoices", description="").location == "/ui/queues/1"
    (event,) = admin.ok(admin.get("/api/audit?action=queue.update"))["items"]
    event = admin.ok(admin.get(f"/api/audit/{event['id']}"))
    before, after = event["before_data"], event["after_data"]
    assert before.keys() == {"name", "description", "updated_at"}
    assert (before["description"], after["description"]) == ("old", None)


def test_a_required_field_can_not_be_emptied(admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.post("/api/queues", {"name": "orders"}))
    again = Sheet(signed_in.fill("/ui/queues/1/edit", 422, name="", max_retries="").text)
    assert again.error("name")
    assert again.error("max_retries")
    assert (again.sends["name"], again.sends["max_retries"]) == ("", "")


def test_what_somebody_else_changed_meanwhile_is_shown_beside_ones_own(
    admin: Api, signed_in: Browser, state: State
) -> None:
    admin.ok(admin.post("/api/queues", {"name": "orders", "description": "old", "max_retries": 1}))
    sheet = signed_in.form("/ui/queues/1/edit")
    admin.ok(admin.put("/api/queues/1", {"description": "theirs", "max_retries": 2, "is_active": False}))
    with state.unchanged():
        answer = signed_in.send(sheet, 412, description="mine", name="invoices")
    again = Sheet(answer.text)
    assert "Somebody else has changed this" in again.texts["problems"]
    assert again.sends["description"] == "mine"
    assert "theirs" in again.texts["field-description-theirs"]
    assert again.sends["name"] == "invoices"
    assert "field-name-theirs" not in again.texts
    assert again.sends["max_retries"] == "2", "what was not touched is as it is now"
    assert not again.sends.getlist("is_active")
    signed_in.send(again)
    queue = admin.ok(admin.get("/api/queues/1"))
    assert (queue["name"], queue["description"], queue["max_retries"]) == ("invoices", "mine", 2)
    assert queue["is_active"] is False


def test_a_change_of_what_the_form_does_not_show_is_no_conflict(app: Flask, admin: Api, signed_in: Browser) -> None:
    robot, _ = admin.a_robot()
    api = Api(app.test_client(), **{"X-Robot-Token": robot["api_token"]})
    sheet = signed_in.form(f"/ui/robots/{robot['id']}/edit")
    api.ok(api.post("/api/runner/heartbeat", {}))
    signed_in.send(sheet, name="renamed")
    assert admin.ok(admin.get(f"/api/robots/{robot['id']}"))["name"] == "renamed"


def test_a_secret_is_never_shown_and_stays_where_nothing_is_typed(admin: Api, signed_in: Browser, state: State) -> None:
    admin.ok(admin.post("/api/access/users", {"username": "dana", "password": "correct horse"}))
    before = state.rows("users")[-1]["password_hash"]
    sheet = signed_in.form("/ui/users/2/edit")
    assert sheet.attributes["password"]["type"] == "password"
    assert "Leave it empty to keep" in sheet.texts["field-password-hint"]
    answer = signed_in.send(sheet, 422, email="none", password="battery staple")
    assert "battery staple" not in answer.text
    signed_in.send(sheet, full_name="Dana D.")
    assert state.rows("users")[-1]["password_hash"] == before
    signed_in.send(signed_in.form("/ui/users/2/edit"), password="battery staple")
    Browser(signed_in.client).log_in("dana", "battery staple")


def test_what_belongs_together_is_asked_together(admin: Api, signed_in: Browser) -> None:
    signed_in.fill("/ui/robots/new", 200, name="robot-1", credential__username="bot", credential__password="s3cret")
    (asset,) = admin.ok(admin.get("/api/assets"))
    assert asset["username"] == "bot"
    again = Sheet(signed_in.fill("/ui/robots/new", 422, name="robot-2", credential__username="bot").text)
    assert again.error("credential.password") == "Fill this in."
    assert again.sends["credential.username"] == "bot"


# --- who may


def test_who_may_not_create_or_change_sees_no_way_and_is_refused(
    admin: Api, as_user: Callable[..., Browser], state: State
) -> None:
    some_of_everything(admin)
    browser = as_user("queues:view")
    assert "/ui/queues/new" not in browser.get("/ui/queues/").text
    page = browser.get("/ui/queues/1").text
    assert "/ui/queues/1/edit" not in page
    with state.denied():
        browser.get("/ui/queues/new", 403)
        browser.get("/ui/queues/1/edit", 403)
        token = Sheet(page.replace("/ui/logout", "/x")).sends["csrf_token"]
        for path in ("/ui/queues/new", "/ui/queues/1/edit"):
            answer = browser.client.post(path, data={"csrf_token": token, "name": "x"}, headers={"Accept": "text/html"})
            assert answer.status_code == 403


def test_nothing_is_written_without_the_token_of_the_form(signed_in: Browser, admin: Api, state: State) -> None:
    admin.ok(admin.post("/api/queues", {"name": "orders"}))
    for path in ("/ui/queues/new", "/ui/queues/1/edit"):
        sheet = signed_in.form(path)
        with state.unchanged():
            signed_in.send(sheet, 403, csrf_token="wrong", name="x")
            signed_in.send(sheet, 403, csrf_token=None, name="x")


def test_an_error_of_the_server_loses_nothing_that_was_typed(
    app: Flask, admin: Api, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = admin.a_process()
    sheet = signed_in.form(f"/ui/jobs/new?process_id={process['id']}")
    app.testing = False

    def broken(self: Any, data: Any) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(JobService, "create", broken)
    answer = signed_in.send(sheet, 500, priority="7", parameters=json.dumps({"a": 1}))
    assert Sheet(answer.text).sends["priority"] == "7"
    assert "inside" not in answer.text
