"""The audit log: one row for each change, none for what did not happen, and no secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from bvo import registry
from bvo.database import transaction, utcnow
from bvo_machines.service import MachineService
from support.api import Api
from support.problems import refused
from support.state import State
from support.work import Work


def actions(admin: Api, query: str = "") -> list[str]:
    return [row["action"] for row in admin.ok(admin.get(f"/api/audit?{query}"))["items"]]


def test_every_change_leaves_one_event(work: Work, state: State) -> None:
    work.api.ok(work.finish())
    logged = [row["action"] for row in state.rows("events")]
    assert logged == ["package.create", "process.create", "job.create", "robot.create", "job.started", "job.completed"]


def test_a_change_that_is_rolled_back_leaves_no_trace(app: Flask, admin: Api, state: State) -> None:
    def change_and_fail() -> None:
        with transaction():
            registry.current().service(MachineService).create({"name": "HOST-1", "mode": "runner"})
            raise RuntimeError("after the change")

    with app.app_context(), state.unchanged(), pytest.raises(RuntimeError, match="after the change"):
        change_and_fail()


def test_a_row_tells_who_what_before_and_after(admin: Api) -> None:
    robot, _ = admin.a_robot()
    headers = {"User-Agent": "client/1.0"}
    admin.ok(admin.put(f"/api/robots/{robot['id']}", {"name": "renamed"}, headers=headers))
    newest = admin.ok(admin.get("/api/audit"))["items"][0]
    event = admin.ok(admin.get(f"/api/audit/{newest['id']}"))
    assert {name: event[name] for name in ("actor_user_id", "actor_username", "ip_address", "user_agent")} == {
        "actor_user_id": 1,
        "actor_username": "admin",
        "ip_address": "127.0.0.1",
        "user_agent": "client/1.0",
    }
    assert (event["action"], event["action_type"], event["entity_type"]) == ("robot.update", "modified", "robot")
    assert (event["before_data"]["name"], event["after_data"]["name"]) == ("robot-1", "renamed")
    assert newest.keys() == {
        *("id", "timestamp", "actor_username", "action", "action_type", "entity_type", "entity_display"),
        *("entity_id", "entity_name", "message", "summary"),
    }


def test_a_new_password_is_told_of_and_not_shown(admin: Api) -> None:
    user = admin.ok(admin.post("/api/access/users", {"username": "dana", "password": "correct horse"}))
    admin.ok(admin.put(f"/api/access/users/{user['id']}", {"password": "canary horse"}))
    newest = admin.ok(admin.get("/api/audit"))["items"][0]
    event = admin.ok(admin.get(f"/api/audit/{newest['id']}"))
    assert (event["action"], event["metadata"]) == ("user.update", {"password_changed": True})
    assert "canary" not in str(event)


def test_a_change_that_changes_nothing_is_not_logged(admin: Api, state: State) -> None:
    robot, _ = admin.a_robot()
    with state.unchanged():
        admin.ok(admin.put(f"/api/robots/{robot['id']}", {"name": "robot-1"}))
        admin.ok(admin.put(f"/api/robots/{robot['id']}", {}))


def test_no_secret_reaches_any_table(admin: Api, anonymous: Api, state: State) -> None:
    key = admin.ok(admin.post("/api/machines", {"name": "HOST-1"}))["machine_key"]
    headers = {"X-Machine-Key": key}
    token = admin.ok(anonymous.post("/api/runner/register-robot", {"name": "robot-1"}, headers=headers))["api_token"]
    admin.a_job()
    robot = admin.as_robot(token)
    lease = robot.ok(robot.post("/api/runner/next-job", {}))["job"]["lease_token"]
    login = {"username": "admin", "password": "admin123"}
    session = admin.ok(anonymous.post("/api/auth/login", data=login))["access_token"]
    kept = str(state.everything())
    assert "robot-1" in kept
    for name, secret in {
        "key": key,
        "token": token,
        "lease": lease,
        "session": session,
        "password": "admin123",
    }.items():
        assert secret not in kept, name


def test_the_list_is_filtered(admin: Api) -> None:
    robot, as_robot = admin.a_robot()
    admin.post("/api/machines", {"name": "50%_off"})
    as_robot.ok(as_robot.post("/api/runner/heartbeat", {}))
    later = (utcnow() + timedelta(hours=1)).isoformat().replace("+", "%2B")
    every = ["robot.online", "machine.create", "robot.create"]
    for query, expected in (
        ("", every),
        ("entity_type=machine", ["machine.create"]),
        (f"entity_type=robot&entity_id={robot['id']}", ["robot.online", "robot.create"]),
        ("action_type=status_changed", ["robot.online"]),
        ("action=status_changed", ["robot.online"]),
        ("action=machine.create", ["machine.create"]),
        ("username=admin", ["machine.create", "robot.create"]),
        ("user=robot-1", ["robot.online"]),
        ("user_id=1", ["machine.create", "robot.create"]),
        ("search=50%25_OFF", ["machine.create"]),
        ("q=50x", []),
        (f"from_time={later}", []),
        (f"to_time={later}", every),
        (f"from={later}", []),
        (f"to={later}", every),
    ):
        assert (query, actions(admin, query)) == (query, expected)


def test_bad_filters_are_refused(admin: Api, subtests: pytest.Subtests) -> None:
    for query, field in (
        ("from_time=yesterday", "from_time"),
        ("from_time=0001-01-01T00:00:00%2B14:00", "from_time"),
        ("to_time=9999-12-31T23:59:59-14:00", "to_time"),
        ("from=yesterday", "from"),
        ("to=yesterday", "to"),
        ("user_id=x", "user_id"),
        ("user_id=" + "9" * 30, "user_id"),
        ("search=%00", "search"),
        ("user=%00", "user"),
        ("page=0", "page"),
    ):
        with subtests.test(query):
            assert list(refused(admin.get(f"/api/audit?{query}"), 422)["errors"]) == [field]


def test_the_log_can_not_be_changed(admin: Api) -> None:
    admin.a_robot()
    event = admin.ok(admin.get("/api/audit"))["items"][0]
    refused(admin.put(f"/api/audit/{event['id']}", {"message": "x"}), 405, "GET")
    refused(admin.delete(f"/api/audit/{event['id']}"), 405, "GET")
    refused(admin.post("/api/audit", {"message": "x"}), 405, "GET")


def test_pages_have_totals_in_the_answer(admin: Api) -> None:
    for number in range(3):
        admin.a_robot(f"robot-{number}")
    page: dict[str, Any] = admin.ok(admin.get("/api/audit?page=2&page_size=2"))
    assert ([row["entity_name"] for row in page["items"]], page["total"]) == (["robot-0"], 3)
    assert (page["page"], page["page_size"]) == (2, 2)


def test_the_description_of_the_api_names_every_filter(admin: Api) -> None:
    described = admin.ok(admin.get("/openapi.json"))["paths"]["/api/audit"]["get"]
    names = {parameter["name"] for parameter in described["parameters"]}
    assert names >= {"from_time", "to_time", "from", "to", "user", "username", "user_id", "action", "action_type"}
    assert names >= {"entity_type", "entity_id", "search", "q", "page", "page_size", "after"}
    assert all(parameter.get("description") for parameter in described["parameters"] if "page" not in parameter["name"])
