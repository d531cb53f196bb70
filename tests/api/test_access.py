"""Users, roles and permissions: nobody gains what they were not given."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from argon2 import extract_parameters, profiles

from support.api import Api
from support.problems import refused
from support.state import State

USERS, ROLES = "/api/access/users", "/api/access/roles"
MANAGER = ("users:view", "users:create", "users:edit", "roles:view", "roles:create", "roles:edit", "roles:delete")


def test_a_password_is_kept_as_an_argon2_hash_and_never_told(admin: Api, state: State) -> None:
    body = {"username": "dana", "password": "planted-passphrase", "email": "dana@example.com"}
    created = admin.ok(admin.post(USERS, body))
    assert not [name for name in created if "password" in name]
    assert state.rows("users")[-1]["password_hash"].startswith("$argon2id$")
    admin.ok(admin.put(f"{USERS}/{created['id']}", {"password": "planted-passphrase-2"}))
    assert "planted-passphrase" not in str(state.everything())
    trail = [row for row in state.rows("events") if row["entity_type"] == "user"]
    assert "argon2" not in str(trail)


def test_to_guess_at_a_hash_costs_as_much_as_rfc_9106_recommends() -> None:
    program = "from bvo_access import passwords; print(passwords.hashed('x'))"  # the tests' own hashes cost little
    hashed = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True).stdout.strip()
    cost, recommended = extract_parameters(hashed), profiles.RFC_9106_LOW_MEMORY
    assert cost.memory_cost >= recommended.memory_cost
    assert cost.time_cost >= recommended.time_cost


def test_bad_users_are_refused(admin: Api, state: State, subtests: pytest.Subtests) -> None:
    good: dict[str, Any] = {"username": "dana", "password": "correct horse"}
    for bad, status, word in (
        ({"username": "admin"}, 409, "admin"),
        ({"username": "a b"}, 422, "username"),
        ({"username": "dana\n"}, 422, "username"),
        ({"username": "x" * 151}, 422, "username"),
        ({"password": "short"}, 422, "password"),
        ({"password": "x" * 1025}, 422, "password"),
        ({"password": None}, 422, "password"),
        ({"password": "half \ud800 pair"}, 422, "password"),
        ({"email": "nowhere"}, 422, "email"),
        ({"email": "x" * 300 + "@example.com"}, 422, "email"),
        ({"full_name": "nul\0"}, 422, "full_name"),
        ({"is_admin": True}, 422, "is_admin: Unknown field"),
        ({"roles": [1]}, 422, "roles: Unknown field"),
    ):
        with subtests.test(str(bad)[:60]), state.unchanged():
            refused(admin.post(USERS, {**good, **bad}), status, word)


def test_bad_roles_are_refused(admin: Api, state: State, subtests: pytest.Subtests) -> None:
    row = {"artifact": "jobs", "can_view": True}
    for bad, status, word in (
        ({"name": "Administrator"}, 409, "Administrator"),
        ({"name": ""}, 422, "name"),
        ({"permissions": None}, 422, "permissions"),
        ({"permissions": [{"artifact": "toasters"}]}, 422, "permissions.0.artifact"),
        ({"permissions": [{**row, "can_fly": True}]}, 422, "permissions.0.can_fly"),
        ({"permissions": [row, row]}, 422, "twice"),
        ({"is_admin": True}, 422, "is_admin: Unknown field"),
        ({"is_builtin": True}, 422, "is_builtin: Unknown field"),
    ):
        with subtests.test(str(bad)), state.unchanged():
            refused(admin.post(ROLES, {"name": "Operators", **bad}), status, word)


def test_permissions_are_whole_in_a_change_too(admin: Api, state: State) -> None:
    role = admin.ok(admin.post(ROLES, {"name": "Operators"}))
    with state.unchanged():
        refused(
            admin.put(f"{ROLES}/{role['id']}", {"permissions": [{"can_view": True}]}), 422, "permissions.0.artifact"
        )


def test_the_built_in_roles_stay(admin: Api, state: State) -> None:
    with state.unchanged():
        for number in (1, 2):
            refused(admin.put(f"{ROLES}/{number}", {"name": "Other"}), 409, "built in")
            refused(admin.put(f"{ROLES}/{number}", {"permissions": []}), 409, "built in")
            refused(admin.delete(f"{ROLES}/{number}"), 409, "built in")


def test_who_is_disabled_is_logged_out_and_may_log_in_again_once_enabled(
    admin: Api, user_with: Callable[..., Api]
) -> None:
    dana = user_with("jobs:view")
    form = {"username": "user-1", "password": "correct horse"}
    admin.ok(admin.put(f"{USERS}/2", {"is_active": False}))
    refused(dana.get("/api/jobs"), 401, "session was ended")
    refused(admin.post("/api/auth/login", data=form), 401)
    admin.ok(admin.put(f"{USERS}/2", {"is_active": True}))
    refused(dana.get("/api/jobs"), 401, "ended")
    admin.ok(admin.post("/api/auth/login", data=form))
    changes = admin.ok(admin.get("/api/audit?action=user.update"))["items"]
    told = [admin.ok(admin.get(f"/api/audit/{event['id']}")) for event in changes]
    assert [(event["before_data"]["is_active"], event["after_data"]["is_active"]) for event in told] == [
        (False, True),
        (True, False),
    ]


def test_a_new_password_is_audited_as_one(admin: Api, user_with: Callable[..., Api]) -> None:
    user_with()
    admin.ok(admin.put(f"{USERS}/2", {"password": "battery staple"}))
    event = admin.ok(admin.get("/api/audit?action=user.update"))["items"][0]
    assert admin.ok(admin.get(f"/api/audit/{event['id']}"))["metadata"] == {"password_changed": True}


def test_users_are_not_deleted(admin: Api) -> None:
    user = admin.ok(admin.post(USERS, {"username": "dana", "password": "correct horse"}))
    refused(admin.delete(f"{USERS}/{user['id']}"), 405)


def test_a_change_of_permissions_is_audited_with_what_was_before(admin: Api) -> None:
    view, edit = ({"artifact": "jobs", "can_view": True}, {"artifact": "jobs", "can_edit": True})
    role = admin.ok(admin.post(ROLES, {"name": "Operators", "permissions": [view]}))
    changed = admin.ok(admin.put(f"{ROLES}/{role['id']}", {"permissions": [edit]}))
    assert [(row["can_view"], row["can_edit"]) for row in changed["permissions"]] == [(False, True)]
    event = admin.ok(admin.get("/api/audit?action=role.update"))["items"][0]
    told = admin.ok(admin.get(f"/api/audit/{event['id']}"))
    assert [row["can_view"] for row in told["before_data"]["permissions"]] == [True]
    assert [row["can_edit"] for row in told["after_data"]["permissions"]] == [True]


def test_a_role_can_be_renamed_alone_and_deleted(admin: Api) -> None:
    row = {"artifact": "jobs", "can_view": True}
    role = admin.ok(admin.post(ROLES, {"name": "Operators", "permissions": [row]}))
    renamed = admin.ok(admin.put(f"{ROLES}/{role['id']}", {"name": "Operations"}))
    assert (renamed["name"], len(renamed["permissions"])) == ("Operations", 1)
    assert admin.delete(f"{ROLES}/{role['id']}").status_code == 204
    refused(admin.get(f"{ROLES}/{role['id']}"), 404, "Role not found")


def test_a_role_that_somebody_holds_can_not_be_deleted(admin: Api, user_with: Callable[..., Api], state: State) -> None:
    user_with("jobs:view")
    role = admin.ok(admin.get("/api/access/roles"))[0]
    with state.unchanged():
        refused(admin.delete(f"/api/access/roles/{role['id']}"), 409, "still used")


def test_roles_are_assigned_as_a_whole(admin: Api, state: State) -> None:
    user = admin.ok(admin.post(USERS, {"username": "dana", "password": "correct horse"}))
    path = f"{USERS}/{user['id']}/roles"
    given = admin.ok(admin.post(path, {"role_ids": [2, 2]}))
    assert (given["user"]["username"], [role["name"] for role in given["roles"]]) == ("dana", ["Read Only"])
    assert admin.ok(admin.get(path)) == given["roles"]
    with state.unchanged():
        for bad in ({}, {"role_ids": "x"}, {"role_ids": [0]}, {"role_ids": [2**31]}, {"role_ids": [2] * 101}):
            refused(admin.post(path, bad), 422, "role_ids")
        refused(admin.post(path, {"role_ids": [99]}), 422, "99")
        refused(admin.post(f"{USERS}/99/roles", {"role_ids": [2]}), 404, "User not found")
    assert admin.ok(admin.post(path, {"role_ids": []}))["roles"] == []


def test_the_last_administrator_stays(admin: Api, state: State) -> None:
    with state.unchanged():
        refused(admin.put(f"{USERS}/1", {"is_active": False}), 409, "last administrator")
        refused(admin.post(f"{USERS}/1/roles", {"role_ids": []}), 409, "last administrator")
    second = admin.ok(admin.post(USERS, {"username": "dana", "password": "correct horse", "is_active": False}))
    admin.ok(admin.post(f"{USERS}/{second['id']}/roles", {"role_ids": [1]}))
    with state.unchanged():
        refused(admin.put(f"{USERS}/1", {"is_active": False}), 409, "last administrator")
    admin.ok(admin.put(f"{USERS}/{second['id']}", {"is_active": True}))
    admin.ok(admin.put(f"{USERS}/1", {"is_active": False}))


def test_nobody_grants_what_they_lack(user_with: Callable[..., Api], state: State) -> None:
    manager = user_with(*MANAGER)
    own = manager.ok(manager.get("/api/auth/me"))
    with state.denied():
        refused(manager.post(f"{USERS}/{own['user']['id']}/roles", {"role_ids": [1]}), 403, "can't grant")
        refused(manager.post(f"{USERS}/{own['user']['id']}/roles", {"role_ids": [2]}), 403, "jobs:view")
        more = {"permissions": [{"artifact": "jobs", "can_delete": True}]}
        refused(manager.post(ROLES, {"name": "More", **more}), 403, "jobs:delete")
        refused(manager.put(f"{ROLES}/{own['roles'][0]['id']}", more), 403, "jobs:delete")
    manager.ok(manager.post(ROLES, {"name": "Same", "permissions": [{"artifact": "users", "can_view": True}]}))


def test_nobody_changes_a_user_who_may_do_more(user_with: Callable[..., Api], state: State) -> None:
    manager = user_with(*MANAGER)
    with state.denied():
        refused(manager.put(f"{USERS}/1", {"password": "correct horse"}), 403, "may do more")
        refused(manager.put(f"{USERS}/1", {"email": "mine@example.com"}), 403, "may do more")
        refused(manager.put(f"{USERS}/1", {"is_active": False}), 403, "may do more")
        refused(manager.post(f"{USERS}/1/roles", {"role_ids": []}), 403, "may do more")
    mine = manager.ok(manager.get("/api/auth/me"))["user"]["id"]
    manager.ok(manager.put(f"{USERS}/{mine}", {"email": "mine@example.com"}))
