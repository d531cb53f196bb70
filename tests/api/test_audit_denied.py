"""Denied actions in the audit log: who was refused what, once a minute, and nothing that the request held."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from bvo import denials, event_log
from support.api import Api
from support.problems import refused
from support.state import State
from support.work import Work


def denied(admin: Api) -> list[dict[str, Any]]:
    """The audit rows of denied actions, oldest first, with all that is known of them."""
    rows = admin.ok(admin.get("/api/audit?action=access.denied"))["items"]
    return [admin.ok(admin.get(f"/api/audit/{row['id']}")) for row in reversed(rows)]


def test_a_denied_action_tells_who_what_and_which_permission(
    admin: Api, user_with: Callable[..., Api], state: State
) -> None:
    job, user = admin.a_job(), user_with("jobs:view")
    with state.denied():
        path = f"/api/jobs/{job['id']}/cancel?token=canary-query"
        refused(user.post(path, {"password": "canary-body"}, headers={"User-Agent": "client/1.0"}), 403)
    (row,) = denied(admin)
    assert (row["actor_user_id"], row["actor_username"], row["user_agent"]) == (2, "user-1", "client/1.0")
    assert (row["action"], row["action_type"]) == ("access.denied", "denied")
    assert (row["entity_type"], row["entity_display"], row["entity_id"]) == ("job", "Job", str(job["id"]))
    assert row["entity_name"] == "POST /api/jobs/{row_id}/cancel"
    assert row["message"] == (
        "User user-1 was denied POST /api/jobs/{row_id}/cancel."
        " You lack the permission jobs:edit. Ask an administrator for a role that has it."
    )
    assert row["metadata"] == {"method": "POST", "route": "/api/jobs/{row_id}/cancel", "permission": "jobs:edit"}
    assert "canary" not in str(state.everything())


def test_every_refusal_of_somebody_who_is_known_is_recorded(work: Work, user_with: Callable[..., Api]) -> None:
    admin, user = work.admin, user_with("users:edit")
    other = admin.a_robot("robot-2")[1]
    refused(work.api.get("/api/jobs"), 403)
    refused(admin.post("/api/runner/next-job", {}), 403)
    refused(user.get("/api/dashboard/overview"), 403)
    refused(user.post("/api/access/users/2/roles", {"role_ids": [1]}), 403, "can't grant")
    refused(work.api.post("/api/runner/heartbeat", {"robot_id": 2}), 403, "does not match")
    refused(other.get("/api/packages/1/download"), 403)
    shown = ("actor_username", "entity_type", "entity_id", "entity_name")
    assert [tuple(row[name] for name in shown) for row in denied(admin)] == [
        ("robot-1", "job", "", "GET /api/jobs"),
        ("admin", "route", "", "POST /api/runner/next-job"),
        ("user-1", "dashboard", "", "GET /api/dashboard/overview"),
        ("user-1", "user", "2", "POST /api/access/users/{row_id}/roles"),
        ("robot-1", "route", "", "POST /api/runner/heartbeat"),
        ("robot-2", "route", "", "GET /api/packages/{row_id}/download"),
    ]


def test_a_page_that_is_denied_is_recorded_with_what_it_would_have_shown(
    admin: Api, user_with: Callable[..., Api]
) -> None:
    user = user_with("jobs:view")
    for path in ("/ui/processes/", "/ui/robots/"):
        assert user.get(path, headers={"Accept": "text/html"}).status_code == 403
    assert [(row["entity_type"], row["entity_name"]) for row in denied(admin)] == [
        ("process", "GET /ui/{entity}/"),
        ("robot", "GET /ui/{entity}/"),
    ]


def test_what_a_service_records_in_its_own_words_is_not_recorded_twice(work: Work) -> None:
    other = work.admin.a_process("Other")["id"]
    body = {"name": "api-key", "type": "secret", "value": "canary", "process_ids": [other]}
    work.admin.ok(work.admin.post("/api/assets", body))
    refused(work.api.get("/api/runner/assets/api-key"), 403)
    rows = work.admin.ok(work.admin.get("/api/audit?action_type=denied"))["items"]
    assert [row["action"] for row in rows] == ["asset.reveal_refused"]


def test_who_is_not_known_and_what_is_not_there_leave_nothing(
    admin: Api, anonymous: Api, make_app: Callable[..., Flask], state: State
) -> None:
    closed = Api(make_app(BVO_ENV="production", BVO_SECRET_KEY="x" * 48).test_client())
    with state.unchanged():
        refused(anonymous.get("/api/jobs"), 401)
        refused(anonymous.as_robot("bvor_wrong").post("/api/runner/heartbeat", {}), 401)
        refused(closed.post("/api/auth/register", {"username": "dana", "password": "correct horse"}), 403)
        refused(admin.get("/api/jobs/99"), 404)


def test_a_client_in_a_loop_leaves_one_row_for_each_thing_that_it_may_not_do(
    admin: Api, user_with: Callable[..., Api], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setitem(app.extensions, "bvo_denials", denials.Recent(lambda: now))
    first, second = user_with(), user_with()
    for _ in range(3):
        for who, path in ((first, "jobs/1"), (first, "jobs/2?x=1"), (first, "robots"), (second, "jobs/1")):
            refused(who.get(f"/api/{path}"), 403)
    assert [(row["actor_username"], row["entity_name"]) for row in denied(admin)] == [
        ("user-1", "GET /api/jobs/{row_id}"),
        ("user-1", "GET /api/robots"),
        ("user-2", "GET /api/jobs/{row_id}"),
    ]
    now += denials.SECONDS
    refused(first.get("/api/robots"), 403)
    assert len(denied(admin)) == 4


def test_what_is_remembered_of_denials_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denials, "MAX_KEPT", 3)
    recent = denials.Recent(lambda: 0.0)
    assert [recent.add(key) for key in (1, 2, 3, 3, 1)] == [True, True, True, False, False]
    assert recent.add(4)
    assert not recent.add(2)
    assert recent.add(1)


def test_where_a_denial_can_not_be_recorded_it_is_a_denial_all_the_same(
    admin: Api, user_with: Callable[..., Api], state: State, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    user = user_with()

    def fail(*args: Any) -> None:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("disk full"))

    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR), state.unchanged():
        patched.setattr(event_log, "row", fail)
        refused(user.get("/api/jobs"), 403, "jobs:view")
    assert "user user-1 was denied /api/jobs" in caplog.text
    refused(user.get("/api/jobs"), 403, "jobs:view")
    assert len(denied(admin)) == 1
