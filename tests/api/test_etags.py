"""Entity tags: a client neither fetches what it has, nor overwrites what it has not seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from bvo import registry
from bvo_hookspecs import EntityType
from support.api import Api
from support.problems import refused
from support.state import State

QUEUES = "/api/queues"


@pytest.fixture
def queue(admin: Api) -> str:
    """The address of a queue."""
    return f"{QUEUES}/{admin.ok(admin.post(QUEUES, {'name': 'invoices'}))['id']}"


def put(api: Api, path: str, tag: str, **body: Any) -> TestResponse:
    return api.put(path, body, headers={"If-Match": tag})


def tag_of(api: Api, path: str) -> str:
    return str(api.get(path).headers["ETag"])


def one_of_each(admin: Api) -> dict[str, TestResponse]:
    """The answers that create one row of each type that can be created; by the path of the row."""
    process = admin.a_process()
    bodies: dict[str, dict[str, Any]] = {
        "/api/access/users": {"username": "dana", "password": "correct horse"},
        "/api/access/roles": {"name": "operator", "permissions": [{"artifact": "jobs", "can_view": True}]},
        "/api/processes": {"name": "P", "package_id": process["package_id"], "script_path": "main.py"},
        "/api/machines": {"name": "m"},
        "/api/robots": {"name": "r"},
        "/api/jobs": {"process_id": process["id"], "parameters": {"a": [1, 2.5, None]}},
        QUEUES: {"name": "q"},
        "/api/queue-items": {"queue_name": "q", "payload": {"n": 1}},
        "/api/api-tokens": {"name": "t", "scopes": ["jobs:view"]},
        "/api/webhooks": {"name": "w", "url": "https://example.com", "event_types": ["*"]},
        "/api/alert-rules": {"name": "a", "condition": "robot_offline"},
        "/api/mail-notifications": {"name": "m", "recipients": ["ops@example.com"], "event_types": ["*"]},
        "/api/assets": {"name": "a", "type": "credential", "username": "bot", "password": "canary"},
    }
    answers = {path: admin.post(path, body) for path, body in bodies.items()}
    return {f"{path}/{admin.ok(answer)['id']}": answer for path, answer in answers.items()}


def test_the_answer_to_a_creation_bears_the_tag_of_the_row(admin: Api, app: Flask) -> None:
    made = one_of_each(admin)
    types = [entity for entity in registry_of(app).of(EntityType).values() if entity.has("create")]
    assert {path.rpartition("/")[0] for path in made} == {f"/api/{entity.url}" for entity in types}
    for path, answer in made.items():
        assert answer.headers["ETag"] == tag_of(admin, path), path


def test_the_answer_to_a_change_bears_the_tag_of_the_row(admin: Api) -> None:
    changes: dict[str, dict[str, Any]] = {
        "/api/access/users": {"email": "dana@example.com"},
        "/api/access/roles": {"permissions": [{"artifact": "jobs", "can_edit": True}]},
        "/api/processes": {"description": "changed"},
        "/api/robots": {"machine_id": 1},
        "/api/jobs": {"robot_id": 1},
        QUEUES: {"max_retries": 7},
        "/api/queue-items": {"priority": 3},
        "/api/assets": {"process_ids": [1]},
        "/api/webhooks": {"concurrency": 2},
        "/api/alert-rules": {"parameters": {"longer_than_minutes": 5}},
        "/api/mail-notifications": {"digest_minutes": 60},
    }
    for path in one_of_each(admin):
        if (collection := path.rpartition("/")[0]) not in changes:
            continue
        before = tag_of(admin, path)
        answer = put(admin, path, before, **changes.pop(collection))
        admin.ok(answer)
        assert answer.headers["ETag"] != before, path
        assert answer.headers["ETag"] == tag_of(admin, path), path
    assert changes == {}


def test_a_row_that_the_client_has_is_not_sent_again(admin: Api, queue: str) -> None:
    tag = tag_of(admin, queue)
    assert tag.startswith('"')
    for known in (tag, f'"another", {tag}', f"W/{tag}", "*"):
        same = admin.get(queue, headers={"If-None-Match": known})
        assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", tag)
    admin.ok(admin.put(queue, {"description": "new"}))
    assert admin.ok(admin.get(queue, headers={"If-None-Match": tag}))["description"] == "new"


def test_a_change_of_another_state_is_refused(admin: Api, queue: str, state: State) -> None:
    seen = tag_of(admin, queue)
    admin.ok(admin.put(queue, {"description": "of somebody else"}))
    with state.unchanged():
        for stale in (seen, '"nothing"', "", f"W/{tag_of(admin, queue)}"):
            refused(put(admin, queue, stale, description="mine"), 412, "has changed since you read it")
        refused(admin.delete(queue, headers={"If-Match": seen}), 412)
        refused(admin.get(queue, headers={"If-Match": seen}), 412)
    admin.ok(put(admin, queue, f'"old", {tag_of(admin, queue)}', description="mine"))
    admin.ok(put(admin, queue, "*", description="whatever it was"))
    assert admin.delete(queue, headers={"If-Match": tag_of(admin, queue)}).status_code == 204
    refused(put(admin, queue, "*", description="gone"), 404)


def test_an_action_asks_for_the_state_as_well(admin: Api) -> None:
    job = f"/api/jobs/{admin.a_job()['id']}"
    refused(admin.post(f"{job}/cancel", headers={"If-Match": '"old"'}), 412)
    canceled = admin.post(f"{job}/cancel", headers={"If-Match": tag_of(admin, job)})
    assert canceled.headers["ETag"] == tag_of(admin, job)
    assert admin.ok(canceled)["status"] == "canceled"


def test_a_client_that_sends_no_tag_notices_nothing(admin: Api, queue: str) -> None:
    for number in range(2):
        assert admin.ok(admin.put(queue, {"description": str(number)}))["description"] == str(number)
    assert admin.delete(queue).status_code == 204


def test_a_secret_changes_the_tag_though_it_is_not_shown(admin: Api) -> None:
    body = {"name": "key", "type": "secret", "value": "canary-1"}
    path = f"/api/assets/{admin.ok(admin.post('/api/assets', body))['id']}"
    before = tag_of(admin, path)
    admin.ok(put(admin, path, before, value="canary-2"))
    refused(put(admin, path, before, value="canary-3"), 412)


def test_a_package_keeps_its_file_where_the_tag_is_old(admin: Api, state: State) -> None:
    path = f"/api/packages/{admin.a_package()['id']}"
    with state.unchanged():
        refused(admin.delete(path, headers={"If-Match": '"old"'}), 412)
    assert admin.delete(path, headers={"If-Match": tag_of(admin, path)}).status_code == 204
    assert state.files() == set()


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_of_several_changes_of_one_state_one_wins(admin: Api, app: Flask, queue: str, operation: str) -> None:
    tag, gate = tag_of(admin, queue), threading.Barrier(6)

    def call(number: int) -> int:
        api = Api(app.test_client(), **admin.headers)
        gate.wait(10)
        if operation == "delete":
            return api.delete(queue, headers={"If-Match": tag}).status_code
        return put(api, queue, tag, description=str(number)).status_code

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(call, range(6)))
    assert answers == ([200] + [412] * 5 if operation == "update" else [204] + [404] * 5)


def test_the_scope_hides_rows_whatever_the_tag(user_with: Callable[..., Api], admin: Api, queue: str) -> None:
    refused(put(user_with("queues:view"), queue, tag_of(admin, queue), description="x"), 403)


def test_tags_stand_in_the_api_description(anonymous: Api) -> None:
    row = anonymous.ok(anonymous.get("/openapi.json"))["paths"]["/api/queues/{row_id}"]
    assert "ETag" in row["get"]["responses"]["200"]["headers"]
    assert {"304"} <= set(row["get"]["responses"])
    for method in ("put", "delete"):
        assert "412" in row[method]["responses"], method
        assert "If-Match" in [parameter.get("name") for parameter in row[method]["parameters"]], method
    assert "requestBody" in row["put"]


def registry_of(app: Flask) -> registry.Registry:
    with app.app_context():
        return registry.current()
