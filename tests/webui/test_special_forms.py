"""The forms that ask for something else than the API does, as a browser without scripts sees them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bvo import bodies
from support.api import Api, zipped
from support.browser import Browser, Sheet
from support.state import State

PARAMETERS = {
    "type": "object",
    "required": ["day"],
    "properties": {
        "day": {"type": "string", "format": "date", "title": "Which day", "description": "Of the report"},
        "at": {"type": "string", "format": "date-time"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 100},
        "rate": {"type": ["number", "null"]},
        "dry_run": {"type": "boolean"},
        "region": {"enum": ["north", "south"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "filters": {"type": "object"},
    },
}


@pytest.fixture
def signed_in(client: FlaskClient) -> Browser:
    browser = Browser(client)
    browser.log_in()
    return browser


@pytest.fixture
def process(admin: Api) -> dict[str, Any]:
    """A process that says what its jobs need."""
    made = admin.a_process()
    changed: dict[str, Any] = admin.ok(
        admin.put(f"/api/processes/{made['id']}", {"parameters_schema": PARAMETERS, "timeout_seconds": 77})
    )
    return changed


# --- packages


def test_a_package_is_uploaded(admin: Api, signed_in: Browser) -> None:
    assert 'href="/ui/packages/new"' in signed_in.get("/ui/packages/").text
    sheet = signed_in.form("/ui/packages/new")
    assert sheet.multipart
    assert sheet.attributes["file"]["type"] == "file"
    file = (io.BytesIO(zipped({"main.py": "x = 1"})), "report_1.2.3.zip")
    assert signed_in.send(sheet, file=file).location == "/ui/packages/1"
    assert admin.ok(admin.get("/api/packages/1"))["name"] == "report"


def test_what_is_no_package_is_refused_and_the_rest_stays(signed_in: Browser) -> None:
    again = Sheet(signed_in.fill("/ui/packages/new", 422, name="report").text)
    assert again.error("file") == "Fill this in."
    assert again.sends["name"] == "report"
    answer = signed_in.send(again, 422, file=(io.BytesIO(b"no zip"), "x.zip"), version="1.0.0")
    assert "The package was refused" in Sheet(answer.text).texts["problems"]


def test_a_package_may_be_larger_than_other_forms(signed_in: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 20_000)
    large = zipped({"main.py": "", "data.bin": "x" * 20_000})
    signed_in.fill("/ui/packages/new", file=(io.BytesIO(large), "report_1.2.3.zip"))
    signed_in.fill("/ui/queues/new", 413, name="x", description="x" * 20_000)


def test_a_script_that_shows_progress_is_told_where_to_go(signed_in: Browser) -> None:
    sheet = signed_in.form("/ui/packages/new")
    data = {**sheet.sends, "file": (io.BytesIO(zipped({"main.py": ""})), "report_1.2.3.zip")}
    answer = signed_in.client.post(sheet.action, data=data, headers={"Accept": "text/html", "HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/ui/packages/1")
    assert "was created" in signed_in.get("/ui/packages/1").text


# --- processes and jobs


def test_a_process_begins_with_its_package_and_offers_its_scripts(admin: Api, signed_in: Browser) -> None:
    assert "Make one first" in signed_in.get("/ui/processes/new").text
    admin.a_package("report", "1.0.0", **{"main.py": "", "jobs/daily.py": ""})
    page = signed_in.get("/ui/processes/new").text
    assert '<a href="/ui/processes/new?package_id=1">report 1.0.0</a>' in page
    sheet = signed_in.form("/ui/processes/new?package_id=1")
    assert sheet.options["script_path"] == ["", "main.py", "jobs/daily.py"]
    signed_in.send(sheet, name="Daily", script_path="jobs/daily.py")
    assert admin.ok(admin.get("/api/processes/1"))["package_id"] == 1
    signed_in.get("/ui/processes/new?package_id=x", 404)


def test_what_is_no_schema_of_parameters_is_refused(admin: Api, signed_in: Browser, process: dict[str, Any]) -> None:
    path = f"/ui/processes/{process['id']}/edit"
    for wrong in ('{"type": "array"}', '{"properties": []}', '{"properties": {"a": 1}}', "[]", "{"):
        again = Sheet(signed_in.fill(path, 422, parameters_schema=wrong).text)
        assert again.error("parameters_schema")
    signed_in.fill(path, parameters_schema="")
    assert admin.ok(admin.get(f"/api/processes/{process['id']}"))["parameters_schema"] is None


def test_a_job_is_asked_for_as_its_process_describes_it(
    admin: Api, signed_in: Browser, process: dict[str, Any]
) -> None:
    assert '?process_id=1">Demo</a>' in signed_in.get("/ui/jobs/new").text
    sheet = signed_in.form("/ui/jobs/new?process_id=1")
    assert sheet.attributes["parameters.day"]["type"] == "date"
    assert "required" in sheet.attributes["parameters.day"]
    assert sheet.sends["parameters.limit"] == "100"
    assert sheet.sends["timeout_seconds"] == "77", "as the process has it"
    again = Sheet(signed_in.send(sheet, 422, parameters__limit="501", parameters__filters="{").text)
    assert again.error("parameters.day") == "Fill this in."
    assert again.error("parameters.limit")
    assert "not JSON" in again.error("parameters.filters")
    assert again.sends["parameters.filters"] == "{"
    signed_in.send(
        again,
        parameters__day="2026-11-01",
        parameters__at="2026-11-01T08:00",
        parameters__limit="5",
        parameters__dry_run="true",
        parameters__region="south",
        parameters__tags="a\r\nb",
        parameters__filters='{"a": [1]}',
    )
    job = admin.ok(admin.get("/api/jobs/1"))
    assert job["parameters"] == {
        "day": "2026-11-01",
        "at": "2026-11-01T08:00+00:00",
        "limit": 5,
        "dry_run": True,
        "region": "south",
        "tags": ["a", "b"],
        "filters": {"a": [1]},
    }
    assert job["timeout_seconds"] == 77


def test_a_job_that_waits_is_changed_one_that_runs_is_settled_one_that_ended_stays(
    app: Flask, admin: Api, signed_in: Browser, process: dict[str, Any]
) -> None:
    job = admin.a_job(process, parameters={"day": "2026-11-01", "limit": 7})
    path = f"/ui/jobs/{job['id']}"
    assert signed_in.form(f"{path}/edit").sends["parameters.limit"] == "7"
    signed_in.fill(f"{path}/edit", parameters__limit="8")
    assert admin.ok(admin.get(f"/api/jobs/{job['id']}"))["parameters"] == {
        "day": "2026-11-01",
        "limit": 8,
        "dry_run": False,
    }
    robot, _ = admin.a_robot()
    api = Api(app.test_client(), **{"X-Robot-Token": robot["api_token"]})
    api.ok(api.post("/api/runner/next-job", {}))
    sheet = signed_in.form(f"{path}/edit")
    assert "priority" not in sheet.attributes
    signed_in.send(sheet, status="failed", error_message="by hand")
    assert f"{path}/edit" not in signed_in.get(path).text
    assert "Only" not in signed_in.get(path).text


def test_parameters_beyond_the_schema_are_json(admin: Api, signed_in: Browser, process: dict[str, Any]) -> None:
    job = admin.a_job(process, parameters={"day": "2026-11-01", "unknown": 1})
    assert '"unknown": 1' in signed_in.form(f"/ui/jobs/{job['id']}/edit").sends["parameters"]


# --- assets


@pytest.mark.parametrize(
    ("kind", "typed", "shown"),
    [
        ("text", {"value": "x\r\ny"}, {"value": "x\ny"}),
        ("int", {"value": "42"}, {"value": "42"}),
        ("boolean", {"value": "false"}, {"value": "false"}),
        ("secret", {"value": "canary"}, {"value": "***"}),
        ("credential", {"username": "bot", "password": "canary"}, {"username": "bot", "value": "***"}),
    ],
)
def test_an_asset_is_asked_for_by_its_type(
    admin: Api, signed_in: Browser, kind: str, typed: dict[str, str], shown: dict[str, str]
) -> None:
    process = admin.a_process()
    assert f'href="/ui/assets/new?type={kind}"' in signed_in.get("/ui/assets/new").text
    sheet = signed_in.form(f"/ui/assets/new?type={kind}")
    assert sheet.options["process_ids"] == [str(process["id"])]
    signed_in.send(sheet, name="one", process_ids=[str(process["id"])], **typed)
    asset = admin.ok(admin.get("/api/assets/1"))
    assert {name: asset[name] for name in shown} == shown
    assert (asset["type"], asset["process_ids"]) == (kind, [process["id"]])
    page = signed_in.get("/ui/assets/1/edit").text
    assert "canary" not in page
    assert ("Leave it empty to keep" in page) == (kind in ("secret", "credential"))
    signed_in.fill("/ui/assets/1/edit", description="changed", process_ids=None)
    asset = admin.ok(admin.get("/api/assets/1"))
    assert (asset["description"], asset["process_ids"]) == ("changed", [])


def test_an_asset_of_no_type_or_a_wrong_value_is_refused(signed_in: Browser) -> None:
    signed_in.get("/ui/assets/new?type=nonsense", 404)
    assert Sheet(signed_in.fill("/ui/assets/new?type=int", 422, name="n", value="x").text).error("value")


# --- users, roles, tokens


def test_a_role_is_a_table_of_boxes(admin: Api, signed_in: Browser) -> None:
    sheet = signed_in.form("/ui/roles/new")
    assert "jobs:can_view" in sheet.options["permissions"]
    signed_in.send(sheet, name="Operator", permissions=["jobs:can_view", "jobs:can_create", "robots:can_view"])
    role = admin.ok(admin.get("/api/access/roles/3"))
    granted = {f"{row['artifact']}:{name}" for row in role["permissions"] for name, may in row.items() if may is True}
    assert granted == {"jobs:can_view", "jobs:can_create", "robots:can_view"}
    sheet = signed_in.form("/ui/roles/3/edit")
    assert set(sheet.sends.getlist("permissions")) == granted
    signed_in.send(sheet, permissions=["jobs:can_view"])
    assert [row["artifact"] for row in admin.ok(admin.get("/api/access/roles/3"))["permissions"]] == ["jobs"]
    page = signed_in.get("/ui/roles/3").text
    assert re.findall(r'<th scope="row">(\w+)</th><td data-label="View"><span class="flag on">', page) == ["Jobs"]
    assert "may do everything" in signed_in.get("/ui/roles/1").text
    again = Sheet(signed_in.fill("/ui/roles/3/edit", 422, permissions=["nonsense:can_view"]).text)
    assert again.error("permissions")
    assert "/ui/roles/1/edit" not in signed_in.get("/ui/roles/1").text, "what is built in can't be changed"


def test_a_user_gets_a_password_and_roles(admin: Api, signed_in: Browser) -> None:
    again = Sheet(signed_in.fill("/ui/users/new", 422, username="dana", password="short", role_ids=["2"]).text)
    assert again.error("password")
    assert "password" not in [name for name in again.sends if again.sends[name] == "short"]
    assert again.sends.getlist("role_ids") == ["2"]
    signed_in.send(again, password="correct horse")
    assert [role["id"] for role in admin.ok(admin.get("/api/access/users/2/roles"))] == [2]
    sheet = signed_in.form("/ui/users/2/edit")
    assert sheet.sends.getlist("role_ids") == ["2"]
    assert "is_service" not in sheet.attributes
    signed_in.send(sheet, role_ids=["1", "2"])
    assert [role["id"] for role in admin.ok(admin.get("/api/access/users/2/roles"))] == [1, 2]
    signed_in.fill("/ui/users/2/edit", role_ids=None, full_name="Dana D.")
    assert admin.ok(admin.get("/api/access/users/2/roles")) == []


def test_a_service_account_has_no_password(admin: Api, signed_in: Browser, state: State) -> None:
    users = len(state.rows("users"))
    answer = signed_in.fill(
        "/ui/users/new", 422, username="ci", is_service="true", password="correct horse", role_ids=["2"]
    )
    assert "has no password" in Sheet(answer.text).texts["problems"]
    assert len(state.rows("users")) == users
    signed_in.send(Sheet(answer.text), role_ids=["2"])
    assert "password" not in signed_in.form("/ui/users/2/edit").attributes


def test_nobody_gives_away_more_than_they_have(
    admin: Api, user_with: Callable[..., Api], client: FlaskClient, state: State
) -> None:
    user_with("users:view", "users:create", "users:edit", "roles:view")
    browser = Browser(client)
    browser.log_in("user-1", "correct horse")
    before = state.rows("users")
    page = browser.fill("/ui/users/new", 403, username="mine", password="correct horse", role_ids=["1"]).text
    assert Sheet(page).sends["username"] == "mine"
    assert state.rows("users") == before


def test_an_api_token_is_made_of_boxes_and_shown_once(
    admin: Api, user_with: Callable[..., Api], client: FlaskClient, app: Flask
) -> None:
    user_with("jobs:view", "robots:view", "api_tokens:view", "api_tokens:create")
    browser = Browser(client)
    browser.log_in("user-1", "correct horse")
    sheet = browser.form("/ui/api-tokens/new")
    assert set(sheet.options["scopes"]) == {"jobs:view", "robots:view", "api_tokens:view", "api_tokens:create"}
    assert sheet.sends["expires_in_days"] == "90"
    assert "user_id" not in sheet.attributes
    assert Sheet(browser.send(sheet, 422, name="ci").text).error("scopes") == "Check at least one."
    page = browser.send(browser.form("/ui/api-tokens/new"), 200, name="ci", scopes=["jobs:view"])
    token = next(word for word in page.text.replace("<", ">").split(">") if word.startswith("bvok_"))
    api = Api(app.test_client(), Authorization=f"Bearer {token}")
    assert api.get("/api/jobs").status_code == 200
    assert token not in browser.get("/ui/api-tokens/1").text
