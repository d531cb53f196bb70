"""Logging in, and what a token is worth from one request to the next."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask_jwt_extended import create_access_token
from werkzeug.test import TestResponse

from support.api import Api
from support.problems import refused
from support.state import State


def log_in(client: Api, username: str, password: str, **more: str) -> TestResponse:
    return client.post("/api/auth/login", data={"username": username, "password": password, **more})


def bearer(client: Api, token: str) -> Api:
    return Api(client.client, Authorization=f"Bearer {token}")


def test_the_password_form_gives_a_token_that_works(anonymous: Api) -> None:
    answer = anonymous.ok(log_in(anonymous, "admin", "admin123", grant_type="password", scope=""))
    assert answer["token_type"] == "bearer"
    me = bearer(anonymous, answer["access_token"])
    assert me.ok(me.get("/api/auth/me"))["user"]["username"] == "admin"


def test_the_type_that_login_answers_serves_as_scheme_whatever_its_case(anonymous: Api) -> None:
    answer = anonymous.ok(log_in(anonymous, "admin", "admin123"))
    for scheme in (answer["token_type"], "Bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {answer['access_token']}"}
        anonymous.ok(anonymous.get("/api/auth/me", headers=headers))


def test_a_wrong_password_and_an_unknown_user_look_alike(anonymous: Api) -> None:
    wrong = refused(log_in(anonymous, "admin", "nope"), 401, "Invalid credentials")
    assert refused(log_in(anonymous, "nobody", "nope"), 401) == wrong


def test_login_and_failed_login_are_audited_without_the_password(anonymous: Api, state: State) -> None:
    anonymous.ok(log_in(anonymous, "admin", "admin123"))
    refused(log_in(anonymous, "x" * 5000, "planted-password"), 401)
    logged = [(row["action"], row["entity_name"]) for row in state.rows("events")]
    assert logged == [("auth.login", "admin"), ("auth.login_failed", "x" * 100)]
    assert "planted-password" not in str(state.everything())


def test_a_bad_login_form_is_refused(anonymous: Api, subtests: pytest.Subtests) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    with subtests.test("a field is missing"):
        refused(anonymous.post("/api/auth/login", data={"username": "admin"}), 422, "password")
    with subtests.test("JSON"):
        refused(anonymous.post("/api/auth/login", {"username": "admin", "password": "admin123"}), 422, "username")
    with subtests.test("NUL"):
        refused(log_in(anonymous, "ad\0min", "x"), 422, "username", "NUL")
    with subtests.test("not UTF-8"):
        refused(anonymous.post("/api/auth/login", data=b"username=%ff&password=%ff", headers=kind), 401)


def test_me_tells_roles_and_permissions(admin: Api, user_with: Callable[..., Api]) -> None:
    me = admin.ok(admin.get("/api/auth/me"))
    assert me["user"] == {"id": 1, "username": "admin", "email": None, "is_admin": True}
    assert me["permissions"]["flat"]["jobs:delete"] is True
    user = user_with("jobs:view", "jobs:create")
    assert user.ok(user.get("/api/auth/me"))["permissions"] == {
        "by_artifact": {"jobs": {"view": True, "create": True, "edit": False, "delete": False}},
        "flat": {"jobs:view": True, "jobs:create": True, "jobs:edit": False, "jobs:delete": False},
    }


def test_the_token_of_a_disabled_user_ends_at_the_next_request(admin: Api, user_with: Callable[..., Api]) -> None:
    user = user_with("jobs:view")
    user.ok(user.get("/api/jobs"))
    admin.ok(admin.put("/api/access/users/2", {"is_active": False}))
    refused(user.get("/api/jobs"), 401, "session was ended")
    refused(log_in(admin, "user-1", "correct horse"), 401, "Invalid credentials")


def test_a_change_of_roles_takes_effect_at_the_next_request(admin: Api, user_with: Callable[..., Api]) -> None:
    user = user_with("jobs:view")
    user.ok(user.get("/api/jobs"))
    admin.ok(admin.put("/api/access/roles/3", {"permissions": [{"artifact": "robots", "can_view": True}]}))
    refused(user.get("/api/jobs"), 403, "jobs:view")
    user.ok(user.get("/api/robots"))
    admin.ok(admin.post("/api/access/users/2/roles", {"role_ids": []}))
    refused(user.get("/api/robots"), 403, "robots:view")


def test_forged_and_expired_tokens_are_refused(app: Flask, anonymous: Api, admin: Api) -> None:
    good = admin.headers["Authorization"].removeprefix("Bearer ")
    header, payload, signature = good.split(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
    with app.app_context():
        expired = create_access_token(identity="1", expires_delta=timedelta(seconds=-1))
        gone = create_access_token(identity="999")
    for token in (
        "nope",
        "",
        "a.b.c",
        expired,
        gone,
        f"{unsigned}.{payload}.",
        f"{unsigned}.{payload}.{signature}",
        f"{header}.{payload}.{signature[::-1]}",
    ):
        refused(bearer(anonymous, token).get("/api/jobs"), 401)
    anonymous.client.set_cookie("bvo_session", "nope")
    refused(anonymous.get("/api/jobs"), 401, "Log in again")


def test_a_session_cookie_changes_nothing_without_the_csrf_token(anonymous: Api, admin: Api, state: State) -> None:
    anonymous.client.set_cookie("bvo_session", admin.headers["Authorization"].removeprefix("Bearer "))
    anonymous.ok(anonymous.get("/api/machines"))
    with state.unchanged():
        refused(anonymous.post("/api/machines", {"name": "HOST-1"}), 403, "not sent from this site")
