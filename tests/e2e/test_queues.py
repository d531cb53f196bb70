"""A real job that works off a real queue."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from support.runners import wait_for_job
from support.servers import Server, queue_job

SCRIPT = """
import bvo_job

for item in bvo_job.queue("orders"):
    with item:
        number = item.payload["number"]
        if number == 7:
            raise bvo_job.BusinessError("order 7 has no customer")
        if number == 11 and item.retries < 2:
            raise ConnectionError(f"attempt {item.attempt}")
        item.complete({"double": 2 * number})
        if number == 3:
            bvo_job.add_item("follow-ups", {"order": number}, reference="of order 3")
"""


@pytest.mark.usefixtures("runner")
def test_a_job_works_off_a_queue_and_each_item_ends_as_it_should(server: Server) -> None:
    queue = server.call("POST", "/api/queues", json={"name": "orders", "retry_delay_seconds": 0})
    server.call("POST", "/api/queues", json={"name": "follow-ups"})
    items = [{"reference": f"order {number}", "payload": {"number": number}} for number in range(20)]
    added = server.call("POST", "/api/queue-items/bulk", json={"queue_id": queue["id"], "items": items})
    job = wait_for_job(server, queue_job(server, "Orders", {"main.py": SCRIPT}))
    assert (job["status"], job["error_message"]) == ("completed", None)
    found = {item["id"]: item for item in server.call("GET", f"/api/queue-items?queue_id={queue['id']}")}
    ended = [found[number] for number in added["ids"]]
    assert Counter(item["status"] for item in ended) == {"completed": 19, "failed": 1}
    assert {item["job_id"] for item in ended} == {job["id"]}
    for number, item in enumerate(ended):
        assert item["result"] == (None if number == 7 else {"double": 2 * number})
        assert (item["attempt"], item["retries"]) == ((3, 2) if number == 11 else (1, 0))
    assert (ended[7]["failure_kind"], ended[7]["error_message"]) == ("business", "order 7 has no customer")
    assert (ended[11]["failure_kind"], ended[11]["error_message"]) == (None, None)
    (follow_up,) = server.call("GET", "/api/queue-items?search=of order 3")
    assert (follow_up["payload"], follow_up["status"]) == ({"order": 3}, "new")
    assert events_of(server, ended[11]) == [*["started", "requeued"] * 2, "started", "completed"]
    assert "ConnectionError: attempt 2" in server.call("GET", f"/api/jobs/{job['id']}/log")["text"]


@pytest.mark.usefixtures("runner")
def test_items_that_a_job_leaves_behind_go_back_by_themselves(server: Server) -> None:
    queue = server.call("POST", "/api/queues", json={"name": "left", "retry_delay_seconds": 0, "max_retries": 1})
    item = server.call("POST", "/api/queue-items", json={"queue_id": queue["id"]})
    script = "import bvo_job, os\nif bvo_job.queue('left').next(): os._exit(3)"
    for number, status in enumerate(("new", "failed")):
        assert wait_for_job(server, queue_job(server, f"left {number}", {"main.py": script}))["status"] == "failed"
        left = wait_for_item(server, item["id"], status)
        assert (left["attempt"], left["retries"], left["error_code"]) == (number + 1, 1, "job_ended")


def wait_for_item(server: Server, item_id: int, status: str) -> dict[str, Any]:
    """The item, as soon as it is no longer in progress; which then is this status."""
    deadline = time.monotonic() + 30
    while (item := server.call("GET", f"/api/queue-items/{item_id}"))["status"] == "in_progress":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert item["status"] == status
    found: dict[str, Any] = item
    return found


def events_of(server: Server, item: dict[str, Any]) -> list[str]:
    """What happened to the item, oldest first."""
    query = {"entity_type": "queue_item", "entity_id": str(item["id"]), "page_size": 50}
    events = server.call("GET", "/api/audit", params=query)["items"]
    return [event["action"].partition(".")[2] for event in reversed(events)]
