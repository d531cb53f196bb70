"""Processes: always a script that their package has."""

from __future__ import annotations

from typing import Any

import pytest

from support.api import Api
from support.problems import refused
from support.state import State

BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": None}, "name"),
    ({"package_id": "x"}, "package_id"),
    ({"package_id": 0}, "package_id"),
    ({"package_id": -1}, "package_id"),
    ({"package_id": 2**31}, "package_id"),
    ({"package_id": 10**30}, "package_id"),
    ({"package_id": True}, "package_id"),
    ({"script_path": "x" * 501}, "script_path"),
    ({"is_active": "maybe"}, "is_active"),
    ({"version": 7}, "version"),
    ({"id": 7}, "id"),
]


def test_a_script_must_be_in_the_package(admin: Api, state: State) -> None:
    package = admin.a_package(**{"main.py": "", "lib/util.py": ""})
    body = {"name": "P", "package_id": package["id"]}
    with state.unchanged():
        for path in ("nope.py", "../main.py", "", "MAIN.PY"):
            refused(admin.post("/api/processes", {**body, "script_path": path}), 422, "main.py, lib/util.py")
        refused(admin.post("/api/processes", {**body, "package_id": 99, "script_path": "main.py"}), 422, "99")
    created = admin.ok(admin.post("/api/processes", {**body, "script_path": "lib/util.py"}))
    assert created["package"]["scripts"] == ["main.py", "lib/util.py"]


def test_a_bad_field_is_named_in_the_errors(admin: Api, state: State, subtests: pytest.Subtests) -> None:
    good = {"name": "P", "package_id": admin.a_package()["id"], "script_path": "main.py"}
    for bad, field in BAD_FIELDS:
        with subtests.test(str(bad)[:60]), state.unchanged():
            assert list(refused(admin.post("/api/processes", {**good, **bad}), 422)["errors"]) == [field]


def test_a_name_is_taken_once(admin: Api, state: State) -> None:
    first = admin.a_process("First")
    second = admin.a_process("Second")
    body = {"name": "First", "package_id": first["package_id"], "script_path": "main.py"}
    with state.unchanged():
        refused(admin.post("/api/processes", body), 409, "First")
        refused(admin.put(f"/api/processes/{second['id']}", {"name": "First"}), 409, "First")


def test_the_version_counts_changes_of_package_and_script_only(admin: Api) -> None:
    process = admin.a_process("P", **{"main.py": "", "other.py": ""})
    other = admin.a_package("p", "2.0.0", **{"other.py": ""})
    path = f"/api/processes/{process['id']}"
    for change, version in (
        ({"description": "monthly"}, 1),
        ({"script_path": "main.py"}, 1),
        ({"script_path": "other.py"}, 2),
        ({"package_id": other["id"]}, 3),
    ):
        changed = admin.ok(admin.put(path, change))
        assert (changed["version"], change) == (version, change)
    assert changed["package"]["version"] == "2.0.0"


def test_a_package_without_the_script_can_not_be_given(admin: Api, state: State) -> None:
    process = admin.a_process("P", **{"main.py": ""})
    other = admin.a_package("p", "2.0.0", **{"other.py": ""})
    with state.unchanged():
        refused(admin.put(f"/api/processes/{process['id']}", {"package_id": other["id"]}), 422, "other.py")


def test_a_process_with_jobs_stays_and_one_without_goes(admin: Api, state: State) -> None:
    used, unused = admin.a_process("Used"), admin.a_process("Unused")
    admin.a_job(used)
    with state.unchanged():
        refused(admin.delete(f"/api/processes/{used['id']}"), 409, "still used")
    assert admin.delete(f"/api/processes/{unused['id']}").status_code == 204
    refused(admin.get(f"/api/processes/{unused['id']}"), 404, "Process not found")


def test_each_version_is_kept_with_who_made_it_and_can_be_had_again(admin: Api, state: State) -> None:
    process = admin.a_process("P", **{"main.py": "", "other.py": ""})
    newer = admin.a_package("p", "2.0.0", **{"main.py": ""})
    path = f"/api/processes/{process['id']}"
    admin.ok(admin.put(path, {"package_id": newer["id"], "script_path": "main.py"}))
    again = admin.ok(admin.post(f"{path}/roll-back", {"version": 1}))
    assert (again["version"], again["package"]["version"]) == (3, "1.0.0")
    kept = admin.ok(admin.get(f"{path}/versions"))
    assert [(one["version"], one["package_version"], one["created_by"]) for one in kept] == [
        (3, "1.0.0", "admin"),
        (2, "2.0.0", "admin"),
        (1, "1.0.0", "admin"),
    ]
    told = admin.ok(admin.get(f"/api/audit?entity_type=process&entity_id={process['id']}"))["items"][0]
    assert admin.ok(admin.get(f"/api/audit/{told['id']}"))["metadata"] == {"rolled_back_to": 1}
    with state.unchanged():
        refused(admin.post(f"{path}/roll-back", {"version": 3}), 409, "already")
        refused(admin.post(f"{path}/roll-back", {"version": 4}), 404, "no version 4")
        refused(admin.post(f"{path}/roll-back", {"version": 0}), 422, "version")


def test_a_version_outlives_its_package_but_can_not_be_had_again(admin: Api, state: State) -> None:
    process = admin.a_process("P")
    newer = admin.a_package("p", "2.0.0")
    path = f"/api/processes/{process['id']}"
    admin.ok(admin.put(path, {"package_id": newer["id"]}))
    assert admin.delete(f"/api/packages/{process['package_id']}").status_code == 204
    first = admin.ok(admin.get(f"{path}/versions"))[-1]
    assert (first["package_id"], first["package_name"], first["package_version"]) == (None, "p", "1.0.0")
    with state.unchanged():
        refused(admin.post(f"{path}/roll-back", {"version": 1}), 409, "deleted")
