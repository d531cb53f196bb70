"""Machines and their keys."""

from __future__ import annotations

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
