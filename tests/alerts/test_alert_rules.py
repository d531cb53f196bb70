"""Rules as operators have them: made, changed, taken out of use, deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from alerts.conftest import Leaks
from bvo_hookspecs import AlertCondition
from support.api import Api, zipped
from support.browser import Browser, Sheet
from support.hooks import Mover
from support.inbox import Inbox
from support.problems import refused
from support.servers import Server
from support.state import State
from support.watch import a_rule, judge, silent, told, wait_until


@pytest.fixture
def signed_in(client: FlaskClient) -> Browser:
    browser = Browser(client)
    browser.log_in()
    return browser


@pytest.fixture
def raised(app: Flask, admin: Api, leaks: Leaks) -> str:
    """The path of a rule that has raised an alert."""
    rule = a_rule(admin, "leak", room="attic")
    leaks.at = ["roof"]
    judge(app)
    return f"/api/alert-rules/{rule['id']}"


def events(admin: Api) -> list[str]:
    return [event["type"] for event in admin.ok(admin.get("/api/events?types=alert.*,alert_rule.*"))["events"]]


def test_a_condition_that_there_is_not_is_refused_with_those_that_there_are(admin: Api, state: State) -> None:
    with state.unchanged():
        answer = admin.post("/api/alert-rules", {"name": "x", "condition": "flood"})
    refused(answer, 422)
    assert "There is no condition 'flood'. Use one of: jobs_failed_in_a_row, no_success_by," in answer.text


def test_rules_are_listed_by_what_they_watch(admin: Api) -> None:
    rules = [a_rule(admin, condition) for condition in ("robot_offline", "queue_item_waiting", "jobs_failed_in_a_row")]
    admin.ok(admin.put(f"/api/alert-rules/{rules[2]['id']}", {"is_active": False}))
    for query, found in (
        ("", ["Jobs failed in a row", "Queue item waiting", "Robot offline"]),
        ("is_active=true", ["Queue item waiting", "Robot offline"]),
        ("search=OFFLINE", ["Robot offline"]),
    ):
        assert [rule["watches"] for rule in admin.ok(admin.get(f"/api/alert-rules?{query}"))] == found


def test_a_name_is_there_once(admin: Api) -> None:
    a_rule(admin, name="one")
    refused(admin.post("/api/alert-rules", {"name": "one", "condition": "robot_offline"}), 409, "already exists")


def test_a_rule_out_of_use_resolves_what_it_has_raised(app: Flask, admin: Api, raised: str) -> None:
    admin.ok(admin.put(raised, {"is_active": False}))
    judge(app)
    (alert,) = admin.ok(admin.get("/api/alerts"))
    assert alert["status"] == "resolved"
    admin.ok(admin.put(raised, {"is_active": True}))
    judge(app)
    assert told(app) == [(f"alert.{kind}", "leak: Roof") for kind in ("raised", "resolved", "raised")]


def test_a_rule_that_is_deleted_resolves_and_takes_its_alerts_with_it(admin: Api, raised: str) -> None:
    assert admin.delete(raised).status_code == 204
    assert admin.ok(admin.get("/api/alerts")) == []
    assert events(admin)[-3:] == ["alert.raised", "alert.resolved", "alert_rule.deleted"]


def test_other_parameters_count_from_now_and_another_name_does_not(app: Flask, admin: Api, raised: str) -> None:
    before = admin.ok(admin.get(raised))
    assert admin.ok(admin.put(raised, {"name": "other"}))["watching_since"] == before["watching_since"]
    assert admin.ok(admin.put(raised, {"parameters": {"room": "attic"}}))["watching_since"] == before["watching_since"]
    changed = admin.ok(admin.put(raised, {"parameters": {"room": "cellar"}}))
    assert changed["watching_since"] > before["watching_since"]
    judge(app)
    assert len(told(app)) == 1, "what holds with the new ones, too, stays open"


def test_a_condition_can_not_change(admin: Api, raised: str, state: State) -> None:
    admin.ok(admin.put(raised, {"condition": "leak", "is_active": True}))
    with state.unchanged():
        refused(admin.put(raised, {"condition": "robot_offline"}), 409, "create another one")


def test_parameters_of_a_condition_that_is_not_loaded_can_not_change(app: Flask, admin: Api, raised: str) -> None:
    app.extensions["bvo"].records[AlertCondition].pop("leak")
    refused(admin.put(raised, {"parameters": {"room": "cellar"}}), 409, "Enable or install its plugin")
    admin.ok(admin.put(raised, {"is_active": False}))
    assert admin.delete(raised).status_code == 204


def test_who_may_only_look_changes_nothing(user_with: Callable[..., Api], raised: str, state: State) -> None:
    looker = user_with("alert_rules:view", "alerts:view")
    assert looker.get(raised).status_code == looker.get("/api/alerts/1").status_code == 200
    with state.denied():
        refused(looker.put(raised, {"is_active": False}), 403, "alert_rules:edit")
        refused(looker.delete(raised), 403, "alert_rules:delete")
        refused(looker.post("/api/alert-rules", {"name": "x", "condition": "leak"}), 403, "alert_rules:create")
    assert looker.delete("/api/alerts/1").status_code == 405, "only rules resolve alerts"


# --- telling


def test_a_webhook_is_told_of_the_rules_that_it_names(app: Flask, admin: Api) -> None:
    with Inbox() as inbox:
        admin.ok(admin.put("/api/settings/security", {"webhook_allowed_networks": ["127.0.0.0/8"]}))
        body = {"name": "Pager", "url": inbox.url, "event_types": ["alert.*"], "filters": {"rule.name": "pager"}}
        admin.ok(admin.post("/api/webhooks", body))
        silent(app, admin)
        a_rule(admin, name="pager")
        a_rule(admin, name="another")
        judge(app)
        Mover(app).go()
        (request,) = inbox.received
    assert request.event["type"] == "alert.raised"
    assert request.event["data"]["entity"]["rule"]["name"] == "pager"
    assert request.event["data"]["entity"]["message"].startswith("robot-1 is offline")


def test_a_real_worker_tells_a_real_receiver(tmp_path: Path) -> None:
    with Server(tmp_path) as server, Inbox() as inbox:
        server.log_in()
        call = server.call
        call("PUT", "/api/settings/security", json={"webhook_allowed_networks": ["127.0.0.0/8"]})
        call("POST", "/api/webhooks", json={"name": "Pager", "url": inbox.url, "event_types": ["alert.*"]})
        call("POST", "/api/packages/upload", files={"file": ("demo_1.0.0.zip", zipped({"main.py": ""}))})
        process = call("POST", "/api/processes", json={"name": "Demo", "package_id": 1, "script_path": "main.py"})
        job = call("POST", "/api/jobs", json={"process_id": process["id"]})
        robot = {"X-Robot-Token": call("POST", "/api/robots", json={"name": "r"})["api_token"], "Authorization": ""}
        lease = call("POST", "/api/runner/next-job", json={}, headers=robot)["job"]["lease_token"]
        failed = {"headers": {**robot, "X-Lease-Token": lease}, "json": {"status": "failed"}}
        call("POST", f"/api/runner/jobs/{job['id']}/update", **failed)
        rule = {"name": "Fails", "condition": "jobs_failed_in_a_row", "parameters": {"failures": 1}}
        rule = call("POST", "/api/alert-rules", json=rule)
        wait_until(lambda: inbox.types == ["alert.raised"])
        call("PUT", f"/api/alert-rules/{rule['id']}", json={"is_active": False})
        wait_until(lambda: inbox.types == ["alert.raised", "alert.resolved"])
    assert [request.event["data"]["entity"]["subject_name"] for request in inbox.received] == ["Demo", "Demo"]


# --- pages


def test_a_rule_is_asked_for_by_its_condition(admin: Api, signed_in: Browser) -> None:
    process = admin.a_process()["id"]
    page = signed_in.get("/ui/alert-rules/new").text
    for name, label in (("no_success_by", "No success by a time"), ("robot_offline", "Robot offline")):
        assert f'<a href="/ui/alert-rules/new?condition={name}">{label}</a>' in page
    sheet = signed_in.form("/ui/alert-rules/new?condition=no_success_by")
    assert sheet.attributes["parameters.time"]["type"] == "time"
    assert sheet.options["parameters.process_id"] == ["", str(process)]
    assert sheet.options["parameters.days"][0] == "monday"
    assert (sheet.sends["parameters.time_zone"], sheet.sends.getlist("is_active")) == ("UTC", ["true"])
    assert "parameters" not in sheet.attributes, "no JSON"
    again = Sheet(signed_in.send(sheet, 422, name="Daily", parameters__time_zone="Berlin").text)
    assert again.error("parameters.time") == again.error("parameters.process_id") == "Fill this in."
    assert "There is no time zone" in again.error("parameters.time_zone")
    signed_in.send(
        again,
        parameters__process_id=str(process),
        parameters__time="06:00",
        parameters__time_zone="Europe/Berlin",
        parameters__days=["monday", "friday"],
    )
    rule = admin.ok(admin.get("/api/alert-rules/1"))
    wanted = {"process_id": process, "time": "06:00:00", "time_zone": "Europe/Berlin", "days": ["monday", "friday"]}
    assert (rule["condition"], rule["parameters"]) == ("no_success_by", wanted)


def test_a_rule_is_changed_by_the_fields_of_its_condition(admin: Api, signed_in: Browser) -> None:
    admin.a_robot()
    a_rule(admin, longer_than_minutes=7)
    sheet = signed_in.form("/ui/alert-rules/1/edit")
    assert "condition" not in sheet.attributes
    assert sheet.sends["parameters.longer_than_minutes"] == "7"
    assert Sheet(signed_in.send(sheet, 422, parameters__longer_than_minutes="0").text).error(
        "parameters.longer_than_minutes"
    )
    signed_in.send(sheet, parameters__robot_id="1", parameters__longer_than_minutes="8")
    assert admin.ok(admin.get("/api/alert-rules/1"))["parameters"] == {"robot_id": 1, "longer_than_minutes": 8}
    signed_in.fill("/ui/alert-rules/1/edit", parameters__robot_id="", is_active=None)
    rule = admin.ok(admin.get("/api/alert-rules/1"))
    assert (rule["parameters"]["robot_id"], rule["is_active"]) == (None, False)


def test_a_condition_of_a_third_party_has_its_form_and_without_its_plugin_the_rest(
    app: Flask, admin: Api, signed_in: Browser, leaks: Leaks
) -> None:
    signed_in.fill("/ui/alert-rules/new?condition=leak", name="Water", parameters__room="attic")
    assert admin.ok(admin.get("/api/alert-rules/1"))["parameters"] == {"room": "attic"}
    app.extensions["bvo"].records[AlertCondition].pop("leak")
    sheet = signed_in.form("/ui/alert-rules/1/edit")
    assert "parameters.room" not in sheet.attributes
    signed_in.send(sheet, name="Fire")
    assert "Fire" in signed_in.get("/ui/alert-rules/1").text
    signed_in.get("/ui/alert-rules/new?condition=leak", 404)


def test_pages_lead_from_the_rule_to_its_alerts_and_to_what_they_are_about(
    app: Flask, admin: Api, signed_in: Browser
) -> None:
    robot = silent(app, admin)["id"]
    assert "Nothing is watched yet." in signed_in.get("/ui/").text
    a_rule(admin, name="Silent robots", robot_id=robot, longer_than_minutes=7)
    assert "No alert is open." in signed_in.get("/ui/").text
    judge(app)
    rule = signed_in.get("/ui/alert-rules/1").text
    for words in ("Robot offline", f'<a href="/ui/robots/{robot}">robot-1</a>', "7 minutes", 'href="/ui/alerts/1"'):
        assert words in rule
    alert = signed_in.get("/ui/alerts/1").text
    for words in ("robot-1 is offline.", f'href="/ui/robots/{robot}"', 'href="/ui/alert-rules/1">Silent robots</a>'):
        assert words in alert
    listed = signed_in.get("/ui/alerts/?alert_rule_id=1").text
    assert 'href="/ui/alert-rules/1">Silent robots</a>' in listed
    card = signed_in.get("/ui/").text
    assert '<a href="/ui/alerts/1" class="leading">robot-1</a>' in card


def test_an_error_of_a_rule_is_on_its_page_as_text(app: Flask, admin: Api, signed_in: Browser, leaks: Leaks) -> None:
    def fails() -> Any:
        raise OSError("<b>no water</b>")

    leaks.find = fails
    a_rule(admin, "leak")
    judge(app)
    page = signed_in.get("/ui/alert-rules/1").text
    assert "OSError: &lt;b&gt;no water&lt;/b&gt;" in page
    assert "What is open stays open" in page


def test_the_empty_list_of_rules_says_what_to_do(signed_in: Browser) -> None:
    page = signed_in.get("/ui/alert-rules/").text
    assert "<code>alert.*</code>" in page
    assert 'href="/ui/webhooks/new"' in page
