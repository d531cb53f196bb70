"""How differently clients may write the same request."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import requests

from client.seed_client import Refused, SeedClient
from support.api import zipped
from support.servers import Server

Unique = Callable[[str], str]


def test_login_takes_the_oauth2_form(anyone: SeedClient, server: Server) -> None:
    form = {"grant_type": "password", "username": "admin", "password": "admin123", "scope": "", "client_id": ""}
    answer = requests.post(f"{server.url}/api/auth/login", data=form, timeout=30)
    assert answer.status_code == 200, answer.text
    assert anyone.with_token(answer.json()["access_token"]).me()


def test_login_does_not_take_json(server: Server) -> None:
    body = {"username": "admin", "password": "admin123"}
    answer = requests.post(f"{server.url}/api/auth/login", json=body, timeout=30)
    assert answer.status_code in (400, 415, 422)
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_scheme_of_the_token_has_no_case(admin: SeedClient, server: Server, scheme: str) -> None:
    token = admin.headers["Authorization"].split()[1]
    answer = requests.get(f"{server.url}/api/auth/me", headers={"Authorization": f"{scheme} {token}"}, timeout=30)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", ["assets", "processes", "packages", "machines", "robots", "jobs", "queues"])
def test_a_trailing_slash_finds_the_same_list(admin: SeedClient, server: Server, path: str) -> None:
    answer = requests.get(f"{server.url}/api/{path}/", headers=admin.headers, timeout=30)
    assert (answer.status_code, isinstance(answer.json(), list)) == (200, True)


def test_a_trailing_slash_takes_the_same_post(admin: SeedClient, server: Server, unique: Unique) -> None:
    body = {"name": unique("slash")}
    answer = requests.post(f"{server.url}/api/queues/", json=body, headers=admin.headers, timeout=30)
    assert (answer.ok, answer.json()["name"]) == (True, body["name"])


@pytest.mark.parametrize("body", [json.dumps({"name": "untyped"}), {"name": "form"}], ids=["no type", "form"])
def test_a_body_that_does_not_say_it_is_json_is_told(admin: SeedClient, server: Server, body: object) -> None:
    """FastAPI long read a body of no type. A page of another site can send one unasked, as it can send a form."""
    answer = requests.post(f"{server.url}/api/queues", data=body, headers=admin.headers, timeout=30)
    assert (answer.status_code, "application/json" in answer.json()["detail"]) == (415, True)


@pytest.mark.parametrize("text", ["{", "[]", "null", '"text"', ""])
def test_a_body_that_is_no_object_is_told(admin: SeedClient, server: Server, text: str) -> None:
    headers = {**admin.headers, "Content-Type": "application/json"}
    answer = requests.post(f"{server.url}/api/queues", data=text, headers=headers, timeout=30)
    assert answer.status_code in (400, 422)
    assert isinstance(answer.json()["detail"], str)


def test_job_parameters_are_an_object_and_the_json_of_one_is_told(admin: SeedClient, unique: Unique) -> None:
    name = unique("parameters")
    package = admin.upload_package(f"{name}_1.0.0.zip", zipped({"main.py": ""}))
    process = admin.create_process(name=name, package_id=package["id"], script_path="main.py")
    with pytest.raises(Refused, match=r"422.*parameters: Not a valid mapping"):
        admin.create_job(process_id=process["id"], parameters='{"foo": "bar"}')


def test_an_operator_is_told_of_a_field_that_is_not_known(admin: SeedClient, unique: Unique) -> None:
    """FastAPI ignores it, and a typo changes nothing. So a whole record can't be put back as it was got."""
    with pytest.raises(Refused, match=r"422.*color: Unknown field"):
        admin.create_queue(name=unique("more"), color="red")
    queue = admin.create_queue(name=unique("whole"))
    with pytest.raises(Refused, match=r"422.*created_at: Unknown field"):
        admin.update_queue(queue["id"], **queue)


def test_a_runner_and_an_sdk_of_another_age_may_send_fields_that_are_not_known(
    anyone: SeedClient, unique: Unique
) -> None:
    robot = anyone.register_robot(unique("aged"), "HOST", version="0.9")
    headers = {"X-Robot-Token": robot["api_token"]}
    for path in ("runner/heartbeat", "runner/next-job", "sdk/auth/start"):
        body = {"robot_id": robot["robot_id"], "machine_name": "DEV-HOST-01", "version": "0.9"}
        answer = requests.post(f"{anyone.url}/api/{path}", json=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("value", ["true", "True", "1", "false", "0"])
def test_a_flag_in_the_query_is_written_in_any_common_way(admin: SeedClient, server: Server, value: str) -> None:
    query = {"active_only": value, "search": ""}
    answer = requests.get(f"{server.url}/api/processes", params=query, headers=admin.headers, timeout=30)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "query",
    [
        "assets?search=",
        "processes?search=&active_only=",
        "packages?search=&active_only=&name=",
        "robots?search=&status=",
        "jobs?status=&process_id=&robot_id=",
        "queues?search=&active_only=",
        "queue-items?queue_id=&status=",
    ],
)
def test_an_empty_filter_is_no_filter(admin: SeedClient, server: Server, query: str) -> None:
    """The document writes its queries so."""
    answer = requests.get(f"{server.url}/api/{query}", headers=admin.headers, timeout=30)
    assert answer.status_code == 200, answer.text
