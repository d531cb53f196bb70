"""Service accounts and API tokens: what a program may do, and who decides it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text, update

from bvo import tokens
from bvo.database import db, transaction, utcnow
from bvo_auth import accounts
from bvo_tokens.models import ApiToken
from conftest import as_admin
from support.api import Api
from support.problems import refused
from support.state import State

TOKENS, USERS = "/api/api-tokens", "/api/access/users"
READ_ONLY = 2


def created(giver: Api, *scopes: str, **body: Any) -> dict[str, Any]:
    token: dict[str, Any] = giver.ok(giver.post(TOKENS, {"name": "ci", "scopes": list(scopes), **body}))
    return token


def using(giver: Api, token: dict[str, Any]) -> Api:
    return Api(giver.client, Authorization=f"Bearer {token['token']}")


def a_service_account(admin: Api, *role_ids: int, **body: Any) -> int:
    account = admin.ok(admin.post(USERS, {"username": "ci-bot", "is_service": True, **body}))
    admin.ok(admin.post(f"{USERS}/{account['id']}/roles", {"role_ids": role_ids}))
    return int(account["id"])


def change(app: Flask, token: dict[str, Any], **values: Any) -> None:
    """Change the token's row, as time does."""
    with app.app_context(), transaction() as session:
        session.execute(update(ApiToken).where(ApiToken.id == token["id"]).values(**values))


# --- service accounts


def test_a_service_account_has_no_password_and_gets_none(admin: Api, anonymous: Api, app: Flask, state: State) -> None:
    account = a_service_account(admin, READ_ONLY, email="ci@example.com")
    assert state.rows("users")[-1]["password_hash"] is None
    with state.unchanged():
        refused(admin.put(f"{USERS}/{account}", {"password": "correct horse"}), 422, "no password")
        refused(admin.post(USERS, {"username": "x", "is_service": True, "password": "correct horse"}), 422)
        with app.app_context(), pytest.raises(LookupError, match="service account"):
            accounts.make_link("ci-bot")
    forgot = {"username": "ci-bot", "email": "ci@example.com", "newPassword": "correct horse"}
    anonymous.ok(anonymous.post("/api/auth/forgot", forgot))
    assert state.rows("users")[-1]["password_hash"] is None
    refused(anonymous.post("/api/auth/login", data={"username": "ci-bot", "password": "correct horse"}), 401)


def test_what_an_account_is_stays_as_it_was_created(admin: Api, state: State) -> None:
    account = a_service_account(admin)
    with state.unchanged():
        refused(admin.put(f"{USERS}/1", {"is_service": True}), 422, "stays one")
        refused(admin.put(f"{USERS}/{account}", {"is_service": False}), 422, "stays one")
        refused(admin.post(USERS, {"username": "dana", "is_service": False}), 422, "password")
    assert admin.ok(admin.put(f"{USERS}/{account}", {"is_service": True, "full_name": "CI"}))["full_name"] == "CI"


def test_service_accounts_and_people_are_listed_apart(admin: Api) -> None:
    account = a_service_account(admin)
    shown = {
        wanted: [(row["id"], row["is_service"]) for row in admin.ok(admin.get(f"{USERS}?is_service={wanted}"))]
        for wanted in ("true", "false")
    }
    assert shown == {"true": [(account, True)], "false": [(1, False)]}


def test_a_service_account_is_not_the_administrator_that_must_stay(admin: Api) -> None:
    a_service_account(admin, 1)
    refused(admin.put(f"{USERS}/1", {"is_active": False}), 409, "last administrator")


# --- creating a token


def test_a_token_is_shown_once_and_kept_as_a_digest(admin: Api, state: State) -> None:
    token = created(admin, "jobs:view")
    assert token["token"].startswith(token["prefix"])
    assert (token["prefix"][:5], len(token["prefix"])) == ("bvok_", 9)
    assert token["user"] == {"id": 1, "username": "admin"}
    assert token["created_by"] == "admin"
    for again in (admin.ok(admin.get(f"{TOKENS}/{token['id']}")), *admin.ok(admin.get(TOKENS))):
        assert {name: value for name, value in token.items() if name != "token"} == again
    everything = state.everything()
    assert token["token"] not in str(everything)
    assert everything["api_tokens"][0]["token_hash"] == tokens.digest(token["token"])
    events = admin.ok(admin.get("/api/audit?entity_type=api_token"))["items"]
    assert [(event["action"], event["entity_name"]) for event in events] == [("api_token.create", "ci")]


def test_a_token_ends_after_ninety_days_or_as_many_as_one_says(admin: Api, state: State) -> None:
    for days, more in ((90, {}), (1, {"expires_in_days": 1}), (366, {"expires_in_days": 366})):
        created(admin, "jobs:view", **more)
        row = state.rows("api_tokens")[-1]
        assert row["expires_at"] - row["created_at"] == timedelta(days=days)


def test_bad_tokens_are_refused(admin: Api, state: State, subtests: pytest.Subtests) -> None:
    disabled = a_service_account(admin, READ_ONLY, is_active=False)
    good: dict[str, Any] = {"name": "ci", "scopes": ["jobs:view"]}
    for bad, word in (
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": None}, "scopes"),
        ({"scopes": "jobs:view"}, "scopes"),
        ({"scopes": ["jobs:fly"]}, "jobs:fly"),
        ({"scopes": ["toasters:view"]}, "toasters:view"),
        ({"scopes": ["jobs"]}, "'jobs'"),
        ({"scopes": ["*"]}, "'*'"),
        ({"scopes": ["jobs:view"] * 1001}, "scopes"),
        ({"expires_in_days": 0}, "expires_in_days"),
        ({"expires_in_days": 367}, "expires_in_days"),
        ({"expires_in_days": None}, "expires_in_days"),
        ({"user_id": 99}, "no user with the id 99"),
        ({"user_id": 2**31}, "user_id"),
        ({"user_id": disabled}, "disabled"),
        ({"token": "bvok_mine"}, "token: Unknown field"),
        ({"created_by": "dana"}, "created_by: Unknown field"),
    ):
        with subtests.test(str(bad)[:60]), state.unchanged():
            refused(admin.post(TOKENS, {**good, **bad}), 422, word)


def test_nobody_gives_a_token_more_than_they_have(user_with: Callable[..., Api], state: State) -> None:
    giver = user_with("api_tokens:create", "jobs:view")
    with state.denied():
        refused(giver.post(TOKENS, {"name": "x", "scopes": ["jobs:view", "jobs:edit"]}), 403, "lack: jobs:edit")
    assert created(giver, "jobs:view")["scopes"] == ["jobs:view"]


def test_nobody_gives_a_token_more_than_its_user_has(admin: Api, state: State) -> None:
    account = a_service_account(admin, READ_ONLY)
    with state.unchanged():
        body = {"name": "x", "user_id": account, "scopes": ["jobs:view", "jobs:edit"]}
        refused(admin.post(TOKENS, body), 422, "ci-bot lacks jobs:edit")
    created(admin, "jobs:view", user_id=account)


def test_tokens_of_others_are_for_who_may_change_them(admin: Api, user_with: Callable[..., Api], state: State) -> None:
    weak = user_with("api_tokens:view", "api_tokens:create", "api_tokens:delete", "jobs:view")
    strong = user_with(
        *(f"{artifact}:{operation}" for artifact in ("api_tokens", "users") for operation in ("view", "create")),
        "api_tokens:delete",
        "users:edit",
        "jobs:view",
    )
    of_weak, of_admin = created(weak, "jobs:view"), created(admin, "jobs:view")
    user_of_weak = of_weak["user_id"]
    with state.denied():
        refused(strong.post(TOKENS, {"name": "x", "scopes": ["jobs:view"], "user_id": 1}), 403, "may do more")
        refused(strong.delete(f"{TOKENS}/{of_admin['id']}"), 403, "may do more")
        refused(weak.post(TOKENS, {"name": "x", "scopes": ["jobs:view"], "user_id": 3}), 403, "users:edit")
        refused(weak.delete(f"{TOKENS}/{of_admin['id']}"), 404, "API token not found")
    assert [row["id"] for row in weak.ok(weak.get(TOKENS))] == [of_weak["id"]], "those of others are not shown"
    assert len(strong.ok(strong.get(TOKENS))) == 2
    assert created(strong, "jobs:view", user_id=user_of_weak)["created_by"] == "user-2"
    assert strong.delete(f"{TOKENS}/{of_weak['id']}").status_code == 204


def test_a_token_makes_no_tokens(admin: Api, state: State) -> None:
    program = using(admin, created(admin, "api_tokens:create", "users:edit", "jobs:view"))
    program.ok(program.get("/api/jobs"))
    with state.denied():
        refused(program.post(TOKENS, {"name": "x", "scopes": ["jobs:view"]}), 403, "it is for: user")


# --- using a token


def test_a_token_may_do_what_its_scopes_and_its_user_may_now(admin: Api, state: State) -> None:
    account = a_service_account(admin, READ_ONLY)
    program = using(admin, created(admin, "jobs:view", "robots:view", user_id=account))
    program.ok(program.get("/api/jobs"))
    refused(program.get("/api/queues"), 403, "queues:view")
    me = program.ok(program.get("/api/auth/me"))
    assert me["user"]["username"] == "ci-bot"
    assert {name for name, may in me["permissions"]["flat"].items() if may} == {"jobs:view", "robots:view"}
    admin.ok(admin.post(f"{USERS}/{account}/roles", {"role_ids": []}))
    refused(program.get("/api/jobs"), 403, "jobs:view")


def test_the_token_of_an_administrator_is_none(admin: Api, state: State) -> None:
    program = using(admin, created(admin, "users:edit", "users:view", "roles:view"))
    me = program.ok(program.get("/api/auth/me"))
    assert {name for name, may in me["permissions"]["flat"].items() if may} == {
        "users:edit",
        "users:view",
        "roles:view",
    }
    with state.denied():
        refused(program.put(f"{USERS}/1", {"password": "correct horse"}), 403, "may do more")
        refused(program.post(f"{USERS}/1/roles", {"role_ids": [1]}), 403, "may do more")


def test_what_a_token_does_is_audited_as_its_users_token(admin: Api) -> None:
    account = a_service_account(admin, 1)
    program = using(admin, created(admin, "machines:create", user_id=account))
    program.ok(program.post("/api/machines", {"name": "HOST-1"}))
    (event,) = admin.ok(admin.get(f"/api/audit?action=machine.create&user_id={account}"))["items"]
    told = admin.ok(admin.get(f"/api/audit/{event['id']}"))
    assert (told["actor_kind"], told["actor_user_id"], told["actor_username"]) == ("token", account, "ci-bot")


def test_a_token_that_does_not_hold_says_why(admin: Api, app: Flask) -> None:
    account = a_service_account(admin, READ_ONLY)
    expired, revoked, disabled = (created(admin, "jobs:view", user_id=account) for _ in range(3))
    for token in (expired, revoked, disabled):
        using(admin, token).ok(using(admin, token).get("/api/jobs"))
    change(app, expired, expires_at=utcnow())
    refused(using(admin, expired).get("/api/jobs"), 401, "API token has expired")
    assert admin.delete(f"{TOKENS}/{revoked['id']}").status_code == 204
    refused(using(admin, revoked).get("/api/jobs"), 401, "revoked")
    admin.ok(admin.put(f"{USERS}/{account}", {"is_active": False}))
    refused(using(admin, disabled).get("/api/jobs"), 401, "disabled")
    for wrong in (disabled["token"][:-1], "bvok_", "bvok_\xff", "bvok_" + "x" * 5000):
        refused(using(admin, {"token": wrong}).get("/api/jobs"), 401, "never made here")


def test_a_token_may_revoke_itself_when_it_leaked(admin: Api) -> None:
    token = created(admin, "api_tokens:delete")
    program = using(admin, token)
    assert program.delete(f"{TOKENS}/{token['id']}").status_code == 204
    refused(program.delete(f"{TOKENS}/{token['id']}"), 401, "revoked")
    (event,) = admin.ok(admin.get("/api/audit?action=api_token.delete"))["items"]
    assert admin.ok(admin.get(f"/api/audit/{event['id']}"))["before_data"]["scopes"] == ["api_tokens:delete"]


def test_a_token_works_beside_a_session_that_has_ended(admin: Api) -> None:
    program = using(admin, created(admin, "machines:create"))
    program.client.set_cookie("bvo_session", "not.a.session")
    program.ok(program.post("/api/machines", {"name": "HOST-1"}))


def test_the_last_use_is_noted_to_the_minute(admin: Api, app: Flask, state: State) -> None:
    token = created(admin, "jobs:view")
    program, before = using(admin, token), utcnow()
    assert token["last_used_at"] is None
    program.ok(program.get("/api/jobs", environ_base={"REMOTE_ADDR": "192.0.2.7"}))
    (row,) = state.rows("api_tokens")
    assert (before <= row["last_used_at"] <= utcnow(), row["last_used_ip"]) == (True, "192.0.2.7")
    with state.unchanged():
        program.ok(program.get("/api/jobs"))
    change(app, token, last_used_at=row["last_used_at"] - timedelta(minutes=2))
    program.ok(program.get("/api/jobs"))
    assert state.rows("api_tokens")[0]["last_used_at"] > row["last_used_at"]
    assert [event["action"] for event in state.rows("events")] == ["api_token.create"]


def test_a_use_that_can_not_be_noted_fails_no_request(
    make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app()  # its table is changed
    admin, state = as_admin(app), State(app)
    program = using(admin, created(admin, "machines:create"))
    refuse = {
        "sqlite": "CREATE TRIGGER no BEFORE UPDATE ON api_tokens BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
        "postgresql": "ALTER TABLE api_tokens ADD CHECK (last_used_at IS NULL)",
    }
    with app.app_context(), transaction() as session:
        session.execute(text(refuse[db.engine.dialect.name]))
    program.ok(program.post("/api/machines", {"name": "HOST-1"}))
    assert state.rows("api_tokens")[0]["last_used_at"] is None
    assert "could not be noted" in caplog.text
