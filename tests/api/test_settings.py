"""Settings: typed, checked, audited, secrets hidden; and what each of them changes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from bvo import delivery, events, secrets, settings
from bvo.database import transaction, utcnow
from bvo.event_log import Horizon
from bvo.observers import Observers
from bvo.settings import StoredSetting
from bvo_audit import retention, sealing
from bvo_robots.models import Robot
from bvo_robots.service import mark_offline
from conftest import as_admin
from support.api import Api
from support.problems import refused
from support.state import State

BAD: list[tuple[str, Any, int, str]] = [
    ("jobs", {"lease_seconds": 1}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": "60"}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": True}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": 60.5}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": 10**30}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": None}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": 120, "heartbeat_seconds": 0}, 422, "heartbeat_seconds"),
    ("jobs", {"toast_seconds": 60}, 422, "toast_seconds: Unknown field"),
    ("jobs", [1], 422, "JSON object"),
    ("general", {"instance_name": ""}, 422, "instance_name"),
    ("general", {"instance_name": "nul\0"}, 422, "instance_name"),
    ("general", {"instance_name": "half \ud800 pair"}, 422, "instance_name"),
    ("toasters", {"a": 1}, 404, "general, jobs"),
    ("general", {"instance_name": "two\nlines"}, 422, "one line"),
    ("general", {"instance_name": "two\u2028lines"}, 422, "one line"),
    ("general", {"public_url": "bvo.example.com"}, 422, "https://bvo.example.com"),
    ("general", {"public_url": "javascript://x"}, 422, "public_url"),
    ("general", {"public_url": "https://me:secret@bvo.example.com"}, 422, "public_url"),
    ("general", {"public_url": "https://bvo.example.com\n"}, 422, "public_url"),
    ("security", {"require_mfa": True}, 422, "not available yet"),
    ("email", {"smtp_host": "mail.example.com:25/x"}, 422, "smtp_host"),
    ("email", {"smtp_port": 0}, 422, "smtp_port"),
    ("email", {"smtp_security": "ssl3"}, 422, "starttls, tls, none"),
    ("email", {"smtp_password": "pass\nword"}, 422, "smtp_password"),
    ("email", {"smtp_password": ""}, 422, "smtp_password"),
    ("email", {"smtp_pass": "x"}, 422, "smtp_pass: Unknown field"),
    ("email", {"from_address": "nobody"}, 422, "from_address"),
    ("logging", {"level": "loud"}, 422, "debug, info, warning, error"),
    ("logging", {"audit_retention_days": 1}, 422, "at least 30 days"),
    ("logging", {"audit_retention_days": -1}, 422, "audit_retention_days"),
]


def test_groups_have_defaults_until_a_value_is_stored(admin: Api) -> None:
    every = admin.ok(admin.get("/api/settings"))
    assert {"general", "security", "jobs", "email", "logging"} <= set(every)
    assert every["jobs"]["lease_seconds"] == 60
    changed = admin.ok(admin.put("/api/settings/jobs", {"lease_seconds": 120}))
    assert changed == {**every["jobs"], "lease_seconds": 120}
    assert admin.ok(admin.get("/api/settings/jobs")) == changed
    refused(admin.get("/api/settings/toasters"), 404, "general, jobs")


def test_null_is_the_default_where_a_setting_may_be_left_open(admin: Api) -> None:
    for value in (False, None, None):
        values = admin.ok(admin.put("/api/settings/security", {"self_registration": value}))
        assert values["self_registration"] is value


def test_bad_values_are_refused_and_none_is_stored(admin: Api, state: State, subtests: pytest.Subtests) -> None:
    for group, values, status, word in BAD:
        with subtests.test(f"{group} {values}"), state.unchanged():
            refused(admin.put(f"/api/settings/{group}", values), status, word)


def test_what_a_group_answers_can_be_sent_back_and_null_is_a_value(admin: Api) -> None:
    for group, values in admin.ok(admin.get("/api/settings")).items():
        assert admin.ok(admin.put(f"/api/settings/{group}", values)) == values
    for value in (True, None):
        assert admin.ok(admin.put("/api/settings/security", {"self_registration": value}))["self_registration"] is value


def test_a_change_is_audited_once_and_no_change_is_not(admin: Api, state: State) -> None:
    admin.ok(admin.put("/api/settings/jobs", {"lease_seconds": 120}))
    event = admin.ok(admin.get("/api/audit?entity_type=settings"))["items"][0]
    told = admin.ok(admin.get(f"/api/audit/{event['id']}"))
    assert (told["before_data"]["lease_seconds"], told["after_data"]["lease_seconds"]) == (60, 120)
    audited = len(state.rows("events"))
    admin.ok(admin.put("/api/settings/jobs", {"lease_seconds": 120}))
    admin.ok(admin.put("/api/settings/jobs", {}))
    assert len(state.rows("events")) == audited


# --- secrets


def audit_of_last_change(admin: Api) -> Any:
    event = admin.ok(admin.get("/api/audit?action=settings.update"))["items"][0]
    return admin.ok(admin.get(f"/api/audit/{event['id']}"))


def test_a_secret_is_stored_encrypted_and_shown_nowhere(admin: Api, app: Flask, state: State) -> None:
    assert admin.ok(admin.get("/api/settings/email"))["smtp_password"] is None
    for changes, password in enumerate(("canary-4711", "canary-4712"), start=1):
        answer = admin.ok(admin.put("/api/settings/email", {"smtp_password": password}))
        assert answer["smtp_password"] == "***"
        told = audit_of_last_change(admin)
        assert len(state.rows("events")) == changes
        assert told["metadata"] == {"secrets_changed": ["smtp_password"]}
        assert told["after_data"]["smtp_password"] == "***"
    assert "canary" not in str(state.everything())
    assert "canary" not in admin.get("/api/settings").text + admin.get("/api/settings-schema").text
    with app.app_context():
        assert settings.get("email.smtp_password") == "canary-4712"


def test_the_mask_that_a_client_sends_back_changes_nothing(admin: Api, app: Flask, state: State) -> None:
    form = admin.ok(admin.put("/api/settings/email", {"smtp_password": "canary-4711"}))
    audited = state.rows("events")
    assert admin.ok(admin.put("/api/settings/email", form)) == form
    assert state.rows("events") == audited
    with app.app_context():
        assert settings.get("email.smtp_password") == "canary-4711"


def test_null_clears_a_secret(admin: Api, app: Flask, state: State) -> None:
    admin.ok(admin.put("/api/settings/email", {"smtp_password": "canary-4711"}))
    assert admin.ok(admin.put("/api/settings/email", {"smtp_password": None}))["smtp_password"] is None
    assert audit_of_last_change(admin)["before_data"]["smtp_password"] == "***"
    assert state.rows("settings") == []
    with app.app_context():
        assert settings.get("email.smtp_password") is None


def test_a_secret_that_is_moved_to_another_key_can_not_be_read(admin: Api, app: Flask) -> None:
    admin.ok(admin.put("/api/settings/email", {"smtp_password": "canary-4711"}))
    with app.app_context(), transaction() as session:
        session.execute(update(StoredSetting).values(group="elsewhere"))
        moved = session.get_one(StoredSetting, ("elsewhere", "smtp_password"))
        with pytest.raises(secrets.Undecryptable, match=r"settings\.secret:elsewhere\.smtp_password"):
            secrets.current().decrypt(moved.secret or "", secrets.place(moved, "secret"))


def test_the_key_of_secrets_can_be_changed(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "BATCH", 2)
    old, new = "A" * 43, "B" * 43
    with make_app(BVO_ENCRYPTION_KEY=old).app_context(), transaction() as session:
        settings.write(session, "email", {"smtp_password": "canary", "smtp_port": 25})
        for name in ("first", "second", "third"):
            row = StoredSetting(group="of a plugin", name=name, value="***")
            row.secret = secrets.current().encrypt(name, secrets.place(row, "secret"))
            session.add(row)
    seen: list[int] = []
    with make_app(BVO_ENCRYPTION_KEY=f"{new},{old}").app_context():
        assert secrets.count() == 4
        assert secrets.rotate(seen.append) == 4
        assert seen == [2, 2]
    with make_app(BVO_ENCRYPTION_KEY=new).app_context():
        assert settings.get("email.smtp_password") == "canary"


def test_where_the_key_is_gone_a_test_mail_says_what_to_do(make_app: Callable[..., Flask]) -> None:
    admin = as_admin(make_app())
    values = {"smtp_host": "localhost", "from_address": "a@example.com", "smtp_password": "canary"}
    admin.ok(admin.put("/api/settings/email", values))
    later = Api(make_app(BVO_ENCRYPTION_KEY="B" * 43).test_client(), **admin.headers)
    refused(later.post("/api/settings/email/test", {"to": "a@example.com"}), 502, "Set email.smtp_password again")


# --- what clients are told of settings


def test_the_schema_tells_type_limits_default_unit_and_help(admin: Api, app: Flask) -> None:
    described = admin.ok(admin.get("/api/settings-schema"))
    lease = described["jobs"]["properties"]["lease_seconds"]
    assert (lease["type"], lease["minimum"], lease["maximum"]) == ("integer", 15, 3600)
    assert (lease["default"], lease["x-unit"]) == (60, "seconds")
    password = described["email"]["properties"]["smtp_password"]
    assert (password["type"], password["format"]) == (["string", "null"], "password")
    assert described["email"]["title"] == "E-mail"
    values = admin.ok(admin.get("/api/settings"))
    assert {group: set(values[group]) for group in values} == {
        group: set(schema["properties"]) for group, schema in described.items()
    }
    assert all(entry["description"] for schema in described.values() for entry in schema["properties"].values())


def test_the_description_of_the_api_has_the_types_of_each_group(admin: Api) -> None:
    document = admin.ok(admin.get("/openapi.json"))
    schemas = document["components"]["schemas"]
    assert schemas["settings.jobs"] == admin.ok(admin.get("/api/settings-schema"))["jobs"]
    change = document["paths"]["/api/settings/{group}"]["put"]
    for body in (change["requestBody"], change["responses"]["200"]):
        assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/settings.AnyGroup"}
    assert {"$ref": "#/components/schemas/settings.email"} in schemas["settings.AnyGroup"]["anyOf"]


def test_every_default_is_a_value_that_may_be_sent(app_context: Flask) -> None:
    for group, declared in settings.groups().items():
        defaults = {name: setting.default for name, setting in declared.items()}
        assert settings.schema(group).load(defaults) == defaults


# --- what each setting changes


def test_every_setting_is_shown_to_change_something(app_context: Flask) -> None:
    declared = {f"{group}.{name}" for group, keys in settings.groups().items() for name in keys}
    assert declared == {path for file in Path(__file__).parents[1].rglob("test_*.py") for path in shown_in(file)}


def shown_in(file: Path) -> Iterator[str]:
    """The settings that the tests of a file are marked with: `@pytest.mark.shows_setting("group.name")`."""
    for test in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            for mark in test.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.shows_setting":
                    yield from map(ast.literal_eval, mark.args)


@pytest.mark.shows_setting("jobs.lease_seconds", "jobs.heartbeat_seconds")
def test_a_setting_holds_from_the_next_request(admin: Api, app: Flask) -> None:
    admin.ok(admin.put("/api/settings/jobs", {"lease_seconds": 120, "heartbeat_seconds": 7}))
    admin.a_job()
    _, robot = admin.a_robot()
    job = robot.ok(robot.post("/api/runner/next-job", {}))["job"]
    assert (job["lease_seconds"], job["heartbeat_seconds"]) == (120, 7)
    admin.ok(admin.put("/api/settings/jobs", {"lease_seconds": 15, "heartbeat_seconds": 7}))
    beat = {"leases": [{"job_id": job["id"], "lease_token": job["lease_token"]}]}
    told = robot.ok(robot.post("/api/runner/heartbeat", beat))
    assert (told["heartbeat_seconds"], told["leases"][0]["lease_seconds"]) == (5, 15)
    before = utcnow()
    (kept,) = State(app).rows("jobs")
    assert kept["lease_expires_at"] - before < timedelta(seconds=15)


@pytest.mark.shows_setting("jobs.robot_offline_seconds")
def test_robots_go_offline_after_the_time_of_the_settings(admin: Api, app: Flask) -> None:
    robot, as_robot = admin.a_robot()
    as_robot.ok(as_robot.post("/api/runner/heartbeat", {}))
    with app.app_context(), transaction() as session:
        session.execute(update(Robot).values(last_heartbeat=utcnow() - timedelta(seconds=90)))
    for seconds, status in ((120, "online"), (60, "offline")):
        admin.ok(admin.put("/api/settings/jobs", {"robot_offline_seconds": seconds}))
        with app.app_context():
            mark_offline()
        assert admin.ok(admin.get(f"/api/robots/{robot['id']}"))["status"] == status


@pytest.mark.shows_setting("security.require_mfa")
def test_a_second_factor_can_not_be_asked_for_as_long_as_there_is_none(admin: Api) -> None:
    """The reference's clients send it: what would not protect is refused, not stored."""
    admin.ok(admin.put("/api/settings/security", {"require_mfa": False}))
    refused(admin.put("/api/settings/security", {"require_mfa": True}), 422, "not available yet")


@pytest.mark.shows_setting("general.instance_name")
def test_the_web_ui_shows_the_name_of_the_installation(admin: Api) -> None:
    admin.ok(admin.put("/api/settings/general", {"instance_name": "Acme robots"}))
    assert "· Acme robots</title>" in admin.client.get("/ui/login").text


@pytest.mark.shows_setting("logging.audit_retention_days")
def test_the_audit_log_is_kept_as_long_as_the_settings_say(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    monkeypatch.setattr(sealing, "STRETCH", 1)
    now = utcnow()
    with app.app_context():
        for days in (100, 90, 80, 70, 29):
            with monkeypatch.context() as past:
                past.setattr(events, "utcnow", lambda days=days: now - timedelta(days=days))
                admin.ok(admin.put("/api/settings/general", {"instance_name": f"{days} days ago"}))

        def kept_after_pruning() -> int:
            retention.prune()
            return len(state.rows("events"))

        assert kept_after_pruning() == 5
        admin.ok(admin.put("/api/settings/logging", {"audit_retention_days": 75}))
        sealing.seal()
        assert kept_after_pruning() == 6  # nobody was told of them yet
        delivery.dispatch(Observers(), Horizon())
        assert kept_after_pruning() == 3
        admin.ok(admin.put("/api/settings/logging", {"audit_retention_days": 30}))
        assert kept_after_pruning() == 3
        assert {row["after_data"].get("instance_name") for row in state.rows("events")} == {"29 days ago", None}
