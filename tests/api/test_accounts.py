"""What people do with their own accounts: register, and choose a new password."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from bvo_auth import accounts
from conftest import as_admin, token_of
from support.api import Api
from support.problems import refused
from support.state import State

DANA = {"username": "dana", "email": "dana@example.com", "fullName": "Dana Doe", "password": "s3cret-passphrase"}
NEW = "another-passphrase"


def log_in(anonymous: Api, password: str) -> int:
    form = {"username": "dana", "password": password}
    return anonymous.post("/api/auth/login", data=form).status_code


def test_who_registers_has_no_roles(admin: Api, anonymous: Api) -> None:
    made = anonymous.ok(anonymous.post("/api/auth/register", {**DANA, "organization": "Acme", "role": "dev"}))
    assert set(made) == {"id", "username"}
    assert admin.ok(admin.get(f"/api/access/users/{made['id']}/roles")) == []
    assert log_in(anonymous, DANA["password"]) == 200
    refused(anonymous.post("/api/auth/register", DANA), 409, "already exists")


def test_nobody_registers_as_administrator(anonymous: Api, state: State) -> None:
    for extra in ({"is_admin": True}, {"roles": [1]}, {"is_active": True}):
        with state.unchanged():
            refused(anonymous.post("/api/auth/register", {**DANA, **extra}), 422, "Unknown field")


@pytest.mark.shows_setting("security.allowed_domains", "security.password_min_length", "security.self_registration")
def test_registration_follows_the_settings(admin: Api, anonymous: Api) -> None:
    admin.ok(admin.put("/api/settings/security", {"allowed_domains": ["acme.com"]}))
    refused(anonymous.post("/api/auth/register", DANA), 403, "acme.com")
    admin.ok(admin.put("/api/settings/security", {"allowed_domains": [], "password_min_length": 20}))
    refused(anonymous.post("/api/auth/register", DANA), 422, "at least 20")
    admin.ok(admin.put("/api/settings/security", {"self_registration": False}))
    refused(anonymous.post("/api/auth/register", {**DANA, "password": "x" * 20}), 403, "switched off")


def test_registration_is_off_in_production_unless_it_is_switched_on(make_app: Callable[..., Flask]) -> None:
    anonymous = Api(make_app(BVO_ENV="production").test_client())
    refused(anonymous.post("/api/auth/register", DANA), 403, "switched off")


def test_a_password_that_everybody_tries_is_refused(anonymous: Api) -> None:
    refused(anonymous.post("/api/auth/register", {**DANA, "password": "Password123"}), 422, "tried first")


def test_forgot_says_the_same_whoever_asks(anonymous: Api) -> None:
    anonymous.ok(anonymous.post("/api/auth/register", DANA))
    for username, email in (("dana", "wrong@example.com"), ("nobody", "dana@example.com")):
        body = {"username": username, "email": email, "newPassword": NEW}
        assert anonymous.ok(anonymous.post("/api/auth/forgot", body)) == {"status": "ok"}
    assert log_in(anonymous, DANA["password"]) == 200


def test_in_development_on_this_machine_forgot_resets_at_once(anonymous: Api) -> None:
    anonymous.ok(anonymous.post("/api/auth/register", DANA))
    body = {"username": "dana", "email": "dana@example.com", "newPassword": NEW}
    anonymous.ok(anonymous.post("/api/auth/forgot", body))
    assert (log_in(anonymous, DANA["password"]), log_in(anonymous, NEW)) == (401, 200)


def test_in_production_forgot_changes_nothing(make_app: Callable[..., Flask]) -> None:
    admin = as_admin(make_app())
    admin.ok(admin.post("/api/auth/register", DANA))
    public = Api(make_app(BVO_ENV="production").test_client())
    body = {"username": "dana", "email": "dana@example.com", "newPassword": NEW}
    assert public.ok(public.post("/api/auth/forgot", body)) == {"status": "ok"}
    assert log_in(public, DANA["password"]) == 200


def test_a_link_works_once_and_ends_the_sessions(anonymous: Api, app: Flask) -> None:
    dana = anonymous.ok(anonymous.post("/api/auth/register", DANA))
    session = Api(anonymous.client, Authorization=f"Bearer {token_of(app, dana['id'])}")
    session.ok(session.get("/api/auth/me"))
    with app.app_context():
        token = accounts.make_link("dana").partition("/ui/reset?token=")[2]
    anonymous.ok(anonymous.post("/api/auth/reset", {"token": token, "newPassword": NEW}))
    refused(session.get("/api/auth/me"), 401, "ended")
    assert log_in(anonymous, NEW) == 200
    refused(anonymous.post("/api/auth/reset", {"token": token, "newPassword": NEW}), 401, "used already")


def test_a_new_password_from_an_administrator_ends_the_sessions(admin: Api, anonymous: Api, app: Flask) -> None:
    dana = anonymous.ok(anonymous.post("/api/auth/register", DANA))
    session = Api(anonymous.client, Authorization=f"Bearer {token_of(app, dana['id'])}")
    admin.ok(admin.put(f"/api/access/users/{dana['id']}", {"password": NEW}))
    refused(session.get("/api/auth/me"), 401, "ended")
