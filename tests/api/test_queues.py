"""Queues and their items."""

from __future__ import annotations

from typing import Any

import pytest

from support.api import Api
from support.problems import refused

ITEMS = "/api/queue-items"


@pytest.fixture
def queue(admin: Api) -> dict[str, Any]:
    made: dict[str, Any] = admin.ok(admin.post("/api/queues", {"name": "orders", "max_retries": 2}))
    return made


def test_an_item_takes_its_queue_by_id_or_by_name(admin: Api, queue: dict[str, Any]) -> None:
    by_id = admin.ok(admin.post(ITEMS, {"queue_id": queue["id"], "reference": "ORD-1", "priority": 5}))
    by_name = admin.ok(admin.post(ITEMS, {"queue_name": "orders"}))
    assert by_id["queue_id"] == by_name["queue_id"] == queue["id"]
    assert (by_id["status"], by_id["reference"], by_id["retries"]) == ("new", "ORD-1", 0)


def test_a_payload_is_any_json_value_and_json_in_a_string_is_parsed(
    admin: Api, queue: dict[str, Any], subtests: pytest.Subtests
) -> None:
    for sent, kept in (
        ('{"order": 1}', {"order": 1}),
        ({"a": [1]}, {"a": [1]}),
        ("plain", "plain"),
        (7, 7),
        (None, None),
    ):
        with subtests.test(sent=sent):
            item = admin.ok(admin.post(ITEMS, {"queue_id": queue["id"], "payload": sent}))
            assert admin.ok(admin.get(f"{ITEMS}/{item['id']}"))["payload"] == kept


def test_an_item_for_no_queue_or_a_closed_one_is_refused(admin: Api, queue: dict[str, Any]) -> None:
    refused(admin.post(ITEMS, {}), 422, "queue_id or queue_name")
    refused(admin.post(ITEMS, {"queue_id": 99}), 422, "Queue does not exist")
    admin.ok(admin.put(f"/api/queues/{queue['id']}", {"is_active": False}))
    refused(admin.post(ITEMS, {"queue_id": queue["id"]}), 409, "not active")


def test_an_item_is_always_created_as_new(admin: Api, queue: dict[str, Any]) -> None:
    refused(admin.post(ITEMS, {"queue_id": queue["id"], "status": "completed"}), 422, "status")


def test_an_item_follows_its_states(admin: Api, queue: dict[str, Any]) -> None:
    item = admin.ok(admin.post(ITEMS, {"queue_id": queue["id"]}))
    path = f"{ITEMS}/{item['id']}"
    refused(admin.put(path, {"status": "completed"}), 409, "new", "completed")
    working = admin.ok(admin.put(path, {"queue_id": queue["id"], "status": "in_progress"}))
    assert working["locked_at"] is not None
    again = admin.ok(admin.put(path, {"status": "new"}))
    assert (again["locked_at"], again["retries"]) == (None, 1)
    admin.ok(admin.put(path, {"status": "in_progress"}))
    done = admin.ok(admin.put(path, {"status": "completed", "result": {"sum": 3}}))
    assert (done["status"], done["result"]) == ("completed", {"sum": 3})
    refused(admin.put(path, {"status": "new"}), 409, "completed")


def test_an_item_stays_in_its_queue(admin: Api, queue: dict[str, Any]) -> None:
    admin.ok(admin.post("/api/queues", {"name": "other"}))
    item = admin.ok(admin.post(ITEMS, {"queue_id": queue["id"]}))
    refused(admin.put(f"{ITEMS}/{item['id']}", {"queue_name": "other"}), 409, "another queue")


def test_items_are_found_by_queue_and_state(admin: Api, queue: dict[str, Any]) -> None:
    first, second = (admin.ok(admin.post(ITEMS, {"queue_id": queue["id"]})) for _ in range(2))
    admin.ok(admin.put(f"{ITEMS}/{second['id']}", {"status": "in_progress"}))
    found = admin.ok(admin.get(f"{ITEMS}?queue_id={queue['id']}&status=new"))
    assert [item["id"] for item in found] == [first["id"]]


def test_a_queue_with_items_can_not_be_deleted(admin: Api, queue: dict[str, Any]) -> None:
    item = admin.ok(admin.post(ITEMS, {"queue_id": queue["id"]}))
    refused(admin.delete(f"/api/queues/{queue['id']}"), 409, "still used")
    assert admin.delete(f"{ITEMS}/{item['id']}").status_code == 204
    assert admin.delete(f"/api/queues/{queue['id']}").status_code == 204
