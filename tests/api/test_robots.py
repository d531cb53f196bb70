"""Robots as operators see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from bvo.database import transaction, utcnow
from bvo_robots.models import Robot
from bvo_robots.service import mark_offline
from conftest import token_of
from support.api import Api
from support.problems import refused
from support.state import State
from support.work import Work


def test_a_token_is_shown_once_and_kept_as_a_digest(admin: Api, state: State) -> None:
    created = admin.ok(admin.post("/api/robots", {"name": "robot-1"}))
    assert created["api_token"].startswith("bvor_")
    assert "api_token" not in admin.ok(admin.get(f"/api/robots/{created['id']}"))
    assert "api_token" not in admin.ok(admin.get("/api/robots"))[0]
    assert "api_token" not in admin.ok(admin.put(f"/api/robots/{created['id']}", {"machine_info": "x"}))
    assert created["api_token"] not in str(state.everything())


def test_bad_input_is_refused(admin: Api, state: State, subtests: pytest.Subtests) -> None:
    admin.a_robot("robot-1")
    second, _ = admin.a_robot("robot-2")
    for bad, status, word in (
        ({"name": "robot-1"}, 409, "robot-1"),
        ({"machine_id": 99}, 422, "99"),
        ({"machine_id": 2**31}, 422, "machine_id"),
        ({"machine_id": -1}, 422, "machine_id"),
        ({"status": "online"}, 422, "status: Unknown field"),
        ({"current_job_id": 1}, 422, "current_job_id: Unknown field"),
        ({"api_token_hash": "0" * 64}, 422, "api_token_hash: Unknown field"),
    ):
        with subtests.test(str(bad)), state.unchanged():
            refused(admin.post("/api/robots", {"name": "robot-3", **bad}), status, word)
            refused(admin.put(f"/api/robots/{second['id']}", bad), status, word)


def test_the_token_of_a_deleted_robot_ends(admin: Api) -> None:
    robot, as_robot = admin.a_robot()
    as_robot.ok(as_robot.post("/api/runner/heartbeat", {}))
    assert admin.delete(f"/api/robots/{robot['id']}").status_code == 204
    refused(as_robot.post("/api/runner/heartbeat", {}), 401, "Register the robot again")


def test_a_robot_with_jobs_stays(work: Work, state: State) -> None:
    work.api.ok(work.finish())
    with state.unchanged():
        refused(work.admin.delete(f"/api/robots/{work.robot['id']}"), 409, "still used")


def test_a_silent_robot_goes_offline_once(app: Flask, admin: Api) -> None:
    robot, as_robot = admin.a_robot()
    as_robot.ok(as_robot.post("/api/runner/heartbeat", {}))
    with app.app_context():
        mark_offline()
        assert admin.ok(admin.get(f"/api/robots/{robot['id']}"))["status"] == "online"
        with transaction() as session:
            session.execute(update(Robot).values(last_heartbeat=utcnow() - timedelta(minutes=2)))
        mark_offline()
        mark_offline()
    assert admin.ok(admin.get("/api/robots?status=offline"))[0]["id"] == robot["id"]
    assert len(admin.ok(admin.get("/api/audit?action=robot.offline"))["items"]) == 1


def test_a_robots_credential_is_kept_as_an_asset_and_changed_there(admin: Api) -> None:
    body = {"name": "unattended", "credential": {"username": "svc", "password": "canary"}}
    robot = admin.ok(admin.post("/api/robots", body))
    asset = admin.ok(admin.get(f"/api/assets/{robot['credential_asset_id']}"))
    assert (asset["type"], asset["username"], asset["value"]) == ("credential", "svc", "***")
    changed = {"credential": {"username": "svc-2", "password": "canary-2"}}
    same = admin.ok(admin.put(f"/api/robots/{robot['id']}", changed))
    assert same["credential_asset_id"] == robot["credential_asset_id"]
    assert admin.ok(admin.get(f"/api/assets/{robot['credential_asset_id']}"))["username"] == "svc-2"


def test_a_credential_is_whole_in_a_change_too(admin: Api) -> None:
    robot, _ = admin.a_robot()
    refused(admin.put(f"/api/robots/{robot['id']}", {"credential": {"password": "pw"}}), 422, "credential.username")


def test_a_credential_needs_the_assets_plugin(make_app: Callable[..., Flask]) -> None:
    app = make_app(BVO_DISABLED_PLUGINS="assets")
    admin = Api(app.test_client(), Authorization=f"Bearer {token_of(app, 1)}")
    body = {"name": "unattended", "credential": {"username": "svc", "password": "pw"}}
    refused(admin.post("/api/robots", body), 422, "the plugin `assets`")


def test_an_operator_can_mark_a_robot_as_online_and_keeps_no_job_alive_by_it(
    admin: Api, work: Work, state: State
) -> None:
    idle, _ = admin.a_robot("idle")
    assert admin.ok(admin.post(f"/api/robots/{idle['id']}/heartbeat"))["status"] == "online"
    lease = state.rows("jobs")[0]["lease_expires_at"]
    admin.ok(admin.post(f"/api/robots/{work.robot['id']}/heartbeat"))
    assert state.rows("jobs")[0]["lease_expires_at"] == lease
