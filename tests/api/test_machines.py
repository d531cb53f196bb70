"""Machines and their keys."""

from __future__ import annotations

from typing import Any

from support.api import Api
from support.problems import refused
from support.state import State


def test_a_key_is_shown_once_and_kept_as_a_digest(admin: Api, state: State) -> None:
    created = admin.ok(admin.post("/api/machines", {"name": "HOST-1", "mode": "runner"}))
    assert created["machine_key"].startswith("bvom_")
    assert "machine_key" not in admin.ok(admin.get(f"/api/machines/{created['id']}"))
    assert "machine_key" not in admin.ok(admin.get("/api/machines"))[0]
    assert created["machine_key"] not in str(state.everything())


def test_a_machine_of_mode_agent_has_no_key(admin: Api) -> None:
    assert "machine_key" not in admin.ok(admin.post("/api/machines", {"name": "HOST-1", "mode": "agent"}))


def test_a_new_key_ends_the_old_one_and_no_robot(admin: Api, anonymous: Api, state: State) -> None:
    made = admin.ok(admin.post("/api/machines", {"name": "HOST-1"}))
    old, path = made["machine_key"], f"/api/machines/{made['id']}"

    def registered(name: str, key: str) -> Any:
        return anonymous.post("/api/runner/register-robot", {"name": name}, headers={"X-Machine-Key": key})

    robot = admin.ok(registered("robot-1", old))
    new = admin.ok(admin.post(f"{path}/renew_key"))["machine_key"]
    refused(registered("robot-2", old), 401, "machine key")
    assert admin.ok(registered("robot-2", new))
    assert admin.ok(admin.as_robot(robot["api_token"]).post("/api/runner/heartbeat", {}))
    assert new not in str(state.everything()) + str(admin.ok(admin.get(path)))
    assert admin.ok(admin.get("/api/audit?action=machine.key_renewed"))["total"] == 1


def test_what_has_no_key_gets_none(admin: Api, state: State) -> None:
    machine = admin.ok(admin.post("/api/machines", {"name": "HOST-1", "mode": "agent"}))
    with state.unchanged():
        refused(admin.post(f"/api/machines/{machine['id']}/renew_key"), 409, "HOST-1 has no key")


def test_bad_input_is_refused(admin: Api, state: State) -> None:
    admin.ok(admin.post("/api/machines", {"name": "HOST-1"}))
    with state.unchanged():
        refused(admin.post("/api/machines", {"name": "HOST-1"}), 409, "HOST-1")
        refused(admin.post("/api/machines", {"name": "HOST-2", "mode": "toaster"}), 422, "mode", "runner, agent")
        refused(admin.post("/api/machines", {"name": "HOST-2", "machine_key_hash": "0" * 64}), 422, "machine_key_hash")


def test_a_machine_with_robots_stays(admin: Api, state: State) -> None:
    machine = admin.ok(admin.post("/api/machines", {"name": "HOST-1"}))
    robot = admin.ok(admin.post("/api/robots", {"name": "robot-1", "machine_id": machine["id"]}))
    path = f"/api/machines/{machine['id']}"
    assert admin.ok(admin.get(path))["robot_count"] == 1
    with state.unchanged():
        refused(admin.delete(path), 409, "still used")
    assert admin.delete(f"/api/robots/{robot['id']}").status_code == 204
    assert admin.delete(path).status_code == 204
    refused(admin.get(path), 404, "Machine not found")


def test_an_id_beyond_all_ids_is_not_found_whatever_the_method(admin: Api) -> None:
    for answer in (admin.get(f"/api/machines/{2**31}"), admin.delete(f"/api/machines/{2**31}")):
        refused(answer, 404, "Ids end at")
