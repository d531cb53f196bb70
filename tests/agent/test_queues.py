"""Queue items in scripts: taken, settled, and renewed by the runner as long as the script runs."""

from __future__ import annotations

import json

import pytest

SECRET = "hunter22-hunter22"


@pytest.fixture
def run(plane, run_once):
    """Runs this script; whether it completed."""

    def run(script, **claim):
        plane.add_job({"main.py": "import bvo_job\n" + script}, **claim)
        return run_once()

    return run


def message(plane):
    return plane.result["error_message"]


def test_a_loop_works_off_the_queue_under_the_leases_of_job_and_items(plane, run):
    for number in range(3):
        plane.add_item(payload={"n": number}, reference=f"r{number}")
    script = """
for item in bvo_job.queue("orders"):
    with item:
        print(item.reference, item.payload, item.attempt, item.retries)
        if item.payload["n"] == 1:
            item.complete({"odd": True})
"""
    assert run(script)
    assert plane.result["logs"] == "".join(f"r{n} {{'n': {n}}} 1 0\n" for n in range(3))
    assert plane.seen["complete"] == [
        {"result": {"odd": True} if n == 1 else None, "item_lease": f"item-lease-{n + 1}"} for n in range(3)
    ]
    assert len(plane.seen["next"]) == 4
    for action in ("next", "complete"):
        assert {headers["X-Lease-Token"] for headers in plane.headers[action]} == {"lease-1"}
    assert len({headers["Idempotency-Key"] for headers in plane.headers["next"]}) == 4


def test_an_exception_fails_its_item_and_the_loop_goes_on(plane, run):
    for _ in range(3):
        plane.add_item()
    script = """
class NoNumber(bvo_job.BusinessError): pass
errors = [NoNumber("it has no number"), ConnectionError("no network"), None]
for item, error in zip(bvo_job.queue("orders"), errors):
    with item:
        if error: raise error
"""
    assert run(script)
    told = [(body["kind"], body["error_message"]) for body in plane.seen["fail"]]
    assert told == [("business", "it has no number"), ("application", "ConnectionError: no network")]
    assert len(plane.seen["complete"]) == 1
    assert plane.result["logs"].count("Traceback") == 1


def test_the_end_of_the_script_ends_no_item(plane, run):
    plane.add_item()
    assert run("with bvo_job.queue('orders').next(): raise SystemExit")
    assert not {"complete", "fail", "release"} & plane.seen.keys()


def test_an_item_is_settled_once_and_as_the_script_says(plane, run):
    for _ in range(3):
        plane.add_item()
    script = """
orders = bvo_job.queue("orders")
with orders.next() as item:
    item.fail("later", code="busy", retry_after=5)
with orders.next() as item:
    item.release()
with orders.next() as item:
    item.fail("never", business=True)
    try:
        item.complete()
    except bvo_job.QueueError as error:
        print(error)
assert orders.next() is None
"""
    assert run(script)
    (later, never) = plane.seen["fail"]
    assert (later["kind"], later["error_code"], later["retry_after_seconds"]) == ("application", "busy", 5)
    assert (never["kind"], never["error_message"]) == ("business", "never")
    assert plane.seen["release"] == [{"item_lease": "item-lease-2"}]
    assert plane.seen["complete"] == []
    assert plane.result["logs"] == "The queue item 3 was settled already.\n"


def test_items_are_added(plane, run):
    assert run(
        'print(bvo_job.add_item("orders", {"a": [1]}, reference="r1", priority=3), bvo_job.add_item("orders", 1))'
    )
    assert plane.result["logs"] == "77 77\n"
    assert plane.seen["items"] == [
        {"payload": {"a": [1]}, "reference": "r1", "priority": 3},
        {"payload": 1, "reference": None, "priority": 0},
    ]
    assert len({headers["Idempotency-Key"] for headers in plane.headers["items"]}) == 2


def test_the_runner_renews_what_is_held_and_nothing_else(plane, run):
    for _ in range(2):
        plane.add_item(lease_seconds=0.3)
    script = """
import time
orders = bvo_job.queue("orders")
with orders.next(): time.sleep(0.6)
held = orders.next()
time.sleep(0.6)
"""
    assert run(script)
    leases = [body["item_lease"] for body in plane.seen["renew"]]
    assert len(leases) >= 4
    assert leases == sorted(leases)
    assert set(leases) == {"item-lease-1", "item-lease-2"}
    assert {headers["X-Lease-Token"] for headers in plane.headers["renew"]} == {"lease-1"}


def test_a_renewal_that_does_not_arrive_is_sent_again(plane, run):
    plane.add_item(lease_seconds=0.3)
    plane.answers["renew"] = [503, 0, 500]
    assert run("import time\nwith bvo_job.queue('orders').next(): time.sleep(1)")
    assert len(plane.seen["renew"]) >= 2


def test_a_lost_item_is_renewed_no_more_and_the_script_is_told_when_it_settles_it(plane, run, caplog):
    plane.add_item(lease_seconds=0.3)
    plane.answers["renew"] = [409]
    script = """
import time
item = bvo_job.queue("orders").next()
time.sleep(0.8)
item.complete()
"""
    assert not run(script)
    assert plane.seen["renew"] == []
    assert "the queue item 1 is lost" in caplog.text
    assert message(plane) == "bvo_job.QueueError: This job does not hold the queue item 1."


def test_a_server_that_is_away_for_a_moment_is_asked_again_under_the_same_key(plane, run):
    plane.add_item()
    plane.answers["next"], plane.answers["complete"] = [503, 0], [429]
    assert run("for item in bvo_job.queue('orders'):\n    with item: pass")
    assert len(plane.seen["complete"]) == 1
    assert len(plane.seen["next"]) == 2


def test_a_server_that_stays_away_is_an_error(plane, run, monkeypatch):
    monkeypatch.setattr("bvo_agent.queue_items.PATIENCE_SECONDS", 0.2)
    plane.answers["next"] = [503] * 99
    assert not run("bvo_job.queue('orders').next()")
    assert message(plane).startswith("bvo_job.QueueError: The server could not be asked: ")


@pytest.mark.parametrize("status", [404, 409])
def test_a_result_that_is_refused_is_an_error_of_the_script(plane, run, status):
    plane.add_item()
    plane.answers["complete"] = [status]
    assert not run("with bvo_job.queue('orders').next(): pass")
    assert message(plane) == f"bvo_job.QueueError: told to answer {status}"


def test_a_result_that_is_not_valid_leaves_the_item_to_the_script(plane, run):
    plane.add_item()
    plane.answers["complete"] = [413]
    script = """
with bvo_job.queue("orders").next() as item:
    try:
        item.complete("x" * 1000)
    except bvo_job.QueueError:
        item.complete("x")
"""
    assert run(script)
    assert [body["result"] for body in plane.seen["complete"]] == ["x"]


def test_an_unknown_queue_is_an_error_that_says_so(plane, run):
    assert not run("bvo_job.queue('none').next()")
    assert message(plane) == "bvo_job.QueueError: Queue not found."


def test_secrets_are_masked_in_all_that_is_said_of_items(plane, run):
    plane.assets["key"] = {"name": "key", "type": "secret", "value": SECRET}
    for _ in range(2):
        plane.add_item()
    script = """
key, orders = bvo_job.asset("key"), bvo_job.queue("orders")
orders.next().complete({"key": [key]})
orders.next().fail("wrong key: " + key, code=key)
bvo_job.add_item("orders", {"key": key}, reference=key)
"""
    assert run(script)
    assert plane.seen["complete"][0]["result"] == {"key": ["***"]}
    assert (plane.seen["fail"][0]["error_message"], plane.seen["fail"][0]["error_code"]) == ("wrong key: ***", "***")
    assert plane.seen["items"][0] == {"payload": {"key": "***"}, "reference": "***", "priority": 0}
    assert SECRET not in json.dumps(plane.seen)


def test_the_script_gets_no_lease_of_an_item(plane, run):
    plane.add_item()
    script = """
import json, os, pathlib
from bvo_job._channel import ask
answer = ask(pathlib.Path(os.environ["BVO_CHANNEL_FILE"]), "queue.next", queue="orders")
bvo_job.set_result(answer)
"""
    assert run(script)
    assert plane.result["result"]["output"]["item"]["id"] == 1
    assert "lease" not in json.dumps(plane.result["result"]["output"])


def test_a_result_of_one_mebibyte_arrives_and_a_larger_one_is_refused(plane, run):
    plane.add_item()
    script = """
item = bvo_job.queue("orders").next()
try:
    item.complete("x" * 1024 * 1024)
except ValueError as error:
    print(error)
item.complete("x" * (1024 * 1024 - 2))
"""
    assert run(script)
    assert "over 1 MiB" in plane.result["logs"]
    assert len(plane.seen["complete"][0]["result"]) == 1024 * 1024 - 2


@pytest.mark.parametrize(
    "fields",
    [
        {"request": "queue.next"},
        {"request": "queue.next", "queue": 7},
        {"request": "queue.add", "queue": "orders", "item": [1]},
        {"request": "queue.complete"},
        {"request": "queue.complete", "item": [1]},
        {"request": "queue.steal", "item": 1},
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_an_error(plane, run, fields):
    script = f"""
import os, pathlib
from bvo_job._channel import ask
print(ask(pathlib.Path(os.environ["BVO_CHANNEL_FILE"]), **{fields!r})["error"])
"""
    assert run(script)
    assert plane.result["logs"] == "This runner does not know this request.\n"


def test_threads_of_a_script_share_the_queue(plane, run):
    for _ in range(20):
        plane.add_item()
    script = """
from concurrent.futures import ThreadPoolExecutor
def work(_):
    done = 0
    for item in bvo_job.queue("orders"):
        with item: done += 1
    return done
with ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(work, range(8))))
"""
    assert run(script)
    assert plane.result["logs"] == "20\n"
    assert len({body["item_lease"] for body in plane.seen["complete"]}) == 20
