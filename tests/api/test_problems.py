"""Bad requests, whatever the route: a problem document that says what to do, and the server goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.api import Api
from support.problems import refused
from support.state import State

JSON = {"Content-Type": "application/json"}
DEEP = 100_000

BODIES: dict[str, tuple[bytes | str, dict[str, str], int, str]] = {
    "not JSON": ("{nope", JSON, 400, "line 1"),
    "spaces only": (" ", JSON, 400, "not JSON"),
    "not UTF-8": (b'{"name": "\xff"}', JSON, 400, "UTF-8"),
    "a raw NUL": ('{"name": "a\0b"}', JSON, 400, "not JSON"),
    "arrays in arrays": ("[" * DEEP + "]" * DEEP, JSON, 400, "nest less deeply"),
    "objects in objects": ('{"name":' * DEEP + "1" + "}" * DEEP, JSON, 400, "nest less deeply"),
    "a number without end": ('{"name": ' + "9" * 5000 + "}", JSON, 400, "shorter numbers"),
    "a list": ("[1]", JSON, 422, "Send a JSON object."),
    "a text": ('"x"', JSON, 422, "Send a JSON object."),
    "null": ("null", JSON, 422, "Send a JSON object."),
    "nothing": ("", JSON, 422, "name: Missing"),
    "another type": ("name=x", {"Content-Type": "text/plain"}, 415, "application/json"),
    "a form": ("name=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
    "too much": (json.dumps({"name": "x" * 4 * 1024 * 1024}), JSON, 413, "4194304 bytes"),
    "an unknown field": ('{"name": "HOST-1", "nope": 1}', JSON, 422, "nope: Unknown field"),
    "NUL": ('{"name": "a\\u0000b"}', JSON, 422, "name: Has a NUL"),
    "half of a pair": ('{"name": "a\\ud800b"}', JSON, 422, "half of a surrogate pair"),
    "NUL in a name": ('{"name": "x", "a\\u0000": 1}', JSON, 422, "NUL"),
    "a long text": (json.dumps({"name": "x" * 201}), JSON, 422, "between 1 and 200"),
    "a number for a text": ('{"name": 5}', JSON, 422, "name: Not a valid string"),
}

PARAMETERS: dict[str, str] = {
    "NUL": '{"a": ["x", "\\u0000"]}',
    "NUL in a name": '{"\\u0000": 1}',
    "half of a pair": '{"a": {"b": "\\udfff"}}',
    "NaN": '{"a": NaN}',
    "infinity": '{"a": -Infinity}',
    "a float beyond all bounds": '{"a": 1e999}',
    "101 levels": '{"a":' * 100 + "1" + "}" * 100,
}


def test_a_bad_body_is_refused_and_leaves_nothing(admin: Api, state: State, subtests: pytest.Subtests) -> None:
    for what, (body, headers, status, word) in BODIES.items():
        with subtests.test(what), state.unchanged():
            refused(admin.post("/api/machines", data=body, headers=headers), status, word)
    admin.ok(admin.post("/api/machines", {"name": "a name with \U0001f916 in it"}))


def test_a_value_of_another_json_type_is_refused_beside_whatever_else_is_wrong(admin: Api, state: State) -> None:
    package = admin.a_package()
    body = {"name": "Demo", "package_id": package["id"], "script_path": "main.py"}
    with state.unchanged():
        for field, value in (
            *(("package_id", value) for value in ("1", 1.5, True, [1], {})),
            *(("is_active", value) for value in ("true", 1, 0, "")),
        ):
            assert refused(admin.post("/api/processes", {**body, field: value}), 422)["errors"].keys() == {field}
        many = refused(admin.post("/api/processes", {"package_id": "1", "nope": 1}), 422)
        assert many["errors"].keys() == {"name", "nope", "package_id", "script_path"}
        refused(admin.post("/api/access/users/1/roles", {"role_ids": [1, "2"]}), 422, "role_ids.1")
        rows = [{"artifact": "jobs", "can_view": "yes"}]
        refused(admin.post("/api/access/roles", {"name": "Viewer", "permissions": rows}), 422, "permissions.0.can_view")
    admin.ok(admin.post("/api/processes", {**body, "package_id": float(package["id"])}))


def test_parameters_that_not_every_database_keeps_are_refused(
    admin: Api, state: State, subtests: pytest.Subtests
) -> None:
    process = admin.a_process()
    for what, parameters in PARAMETERS.items():
        with subtests.test(what), state.unchanged():
            body = f'{{"process_id": {process["id"]}, "parameters": {parameters}}}'
            refused(admin.post("/api/jobs", data=body, headers=JSON), 422, "parameters")


def test_parameters_come_back_as_they_were_sent(admin: Api) -> None:
    parameters: dict[str, Any] = {"a\\u0000": "\\", "\U0001f916": 10**400, "f": 1.5, "n": None, "l": [[], {}], "": True}
    job = admin.a_job(parameters=parameters)
    assert admin.ok(admin.get(f"/api/jobs/{job['id']}"))["parameters"] == parameters


def test_an_id_that_is_none_is_not_found(admin: Api, subtests: pytest.Subtests) -> None:
    for number in ("0", "-1", "99", str(2**31 - 1), str(2**31), "9" * 30, "x", "1.5", "%00", "1%00", "1e1", "٣"):
        with subtests.test(number):
            refused(admin.get(f"/api/machines/{number}"), 404)
            refused(admin.post(f"/api/jobs/{number}/cancel"), 404)
            refused(admin.get(f"/api/jobs/{number}/log"), 404)


def test_a_method_that_is_not_possible_is_answered_with_those_that_are(admin: Api) -> None:
    for method, path, possible in (
        ("PATCH", "/api/machines", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("DELETE", "/api/jobs", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("GET", "/api/runner/next-job", {"OPTIONS", "POST"}),
    ):
        answer = admin.client.open(path, method=method, headers=admin.headers)
        refused(answer, 405, method, "Possible are: ")
        assert {name.strip() for name in answer.headers["Allow"].split(",")} == possible


def test_an_unknown_address_is_not_found(admin: Api, anonymous: Api) -> None:
    for client in (admin, anonymous):
        refused(client.get("/api/toasters"), 404, "Check the path")


def test_errors_of_fields_are_told_by_field(admin: Api) -> None:
    body = refused(admin.post("/api/processes", {"name": "", "package_id": "x"}), 422)
    assert body["errors"].keys() == {"name", "package_id", "script_path"}
    for field, messages in body["errors"].items():
        assert f"{field}: {' '.join(messages)}" in body["detail"]
    assert (body["type"], body["title"]) == ("about:blank", "Unprocessable Entity")


def test_a_browser_gets_a_problem_from_the_api_too(anonymous: Api) -> None:
    refused(anonymous.get("/api/jobs", headers={"Accept": "text/html"}), 401)


def test_the_root_greets_programs_and_sends_browsers_to_the_pages(anonymous: Api) -> None:
    assert anonymous.ok(anonymous.get("/"))["message"] == "BV Orchestrator"
    answer = anonymous.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.location) == (302, "/ui/")


def test_a_request_keeps_its_id_and_gets_one_where_it_has_none(anonymous: Api) -> None:
    given = anonymous.get("/healthz", headers={"X-Request-ID": "client-7.a_b"})
    assert given.headers["X-Request-ID"] == "client-7.a_b"
    made = {anonymous.get("/api/jobs").headers["X-Request-ID"] for _ in range(2)}
    assert len(made) == 2
    forged = anonymous.get("/healthz", headers={"X-Request-ID": "a b; level=info"})
    assert forged.headers["X-Request-ID"] != "a b; level=info"


def test_a_401_names_the_scheme_that_is_asked_for(anonymous: Api) -> None:
    for path in ("/api/jobs", "/api/auth/me"):
        assert anonymous.get(path).headers["WWW-Authenticate"] == "Bearer"
