"""What the built-in conditions hold for, to the microsecond."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import text, update

from bvo.database import db, transaction
from bvo_alerts import conditions
from bvo_jobs import due_times
from bvo_processes.models import Process
from bvo_queues import alerts as queue_alerts
from bvo_queues import watchdog
from bvo_queues.models import QueueItem
from support.api import Api
from support.plans import plan, statements
from support.problems import refused
from support.watch import LONG_AGO, a_rule, ended, find, heard, judge

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
"""A Monday."""
TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
Now = Callable[[datetime], None]


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


# --- jobs that failed in a row


@pytest.mark.parametrize(
    ("ends", "holds"),
    [
        ("ff", False),
        ("fff", True),
        ("cfff", True),
        ("ffff", True),
        ("fffc", False),
        ("fcff", False),
        ("ffxf", True),
        ("fffx", True),
        ("fxxf", False),
        ("", False),
    ],
)
def test_the_last_jobs_of_a_process_all_failed(app: Flask, admin: Api, ends: str, holds: bool) -> None:
    process = admin.a_process()["id"]
    admin.a_job({"id": process})  # one that waits says nothing
    for number, end in enumerate(ends):
        status = {"f": "failed", "c": "completed", "x": "canceled"}[end]
        ended(app, process, status, NOON + number * MINUTE)
    found = [(each.subject, each.name, each.message) for each in find(app, "jobs_failed_in_a_row", failures=3)]
    assert found == [(f"process/{process}", "Demo", 'The last 3 jobs of "Demo" failed.')] * holds


def test_what_counts_is_the_order_in_which_jobs_ended(app: Flask, admin: Api) -> None:
    process = admin.a_process()["id"]
    ended(app, process, "completed", NOON + MINUTE)
    ended(app, process, "failed", NOON)
    assert find(app, "jobs_failed_in_a_row", failures=1) == []


def test_each_process_counts_by_itself_and_one_out_of_use_does_not(app: Flask, admin: Api) -> None:
    one, two, unused = (admin.a_process(name)["id"] for name in ("One", "Two", "Unused"))
    for process in (one, two, unused):
        ended(app, process, "failed")
    admin.ok(admin.put(f"/api/processes/{unused}", {"is_active": False}))
    assert [each.name for each in find(app, "jobs_failed_in_a_row", failures=1)] == ["One", "Two"]
    assert [each.name for each in find(app, "jobs_failed_in_a_row", failures=1, process_id=two)] == ["Two"]
    assert find(app, "jobs_failed_in_a_row", failures=2) == []


# --- no success by a time


@pytest.mark.parametrize(
    ("completed", "now_is", "holds"),
    [
        (None, NOON - TICK, False),  # made after the last one, and the next is to come
        (None, NOON, True),
        (NOON - timedelta(days=1), NOON, True),
        (NOON - timedelta(days=1) + TICK, NOON, False),
        (NOON - timedelta(days=1) + TICK, NOON + timedelta(days=1) - TICK, False),
        (NOON - timedelta(days=1) + TICK, NOON + timedelta(days=1), True),
        (NOON, NOON, False),
        (NOON, NOON + timedelta(days=1), True),
        (NOON + timedelta(hours=3), NOON + timedelta(hours=4), False),  # late, but there
    ],
)
def test_no_job_was_completed_since_the_time_before(
    app: Flask, admin: Api, now: Now, completed: datetime | None, now_is: datetime, holds: bool
) -> None:
    process = admin.a_process()["id"]
    other = admin.a_process("Other")["id"]
    ended(app, other, "completed", NOON - MINUTE)
    ended(app, process, "failed", NOON - MINUTE)
    if completed:
        ended(app, process, "completed", completed)
    now(now_is)
    since = NOON - timedelta(hours=1)
    found = find(app, "no_success_by", since, process_id=process, time="12:00")
    assert [(each.subject, each.name) for each in found] == [(f"process/{process}", "Demo")] * holds


@pytest.mark.parametrize(("since", "holds"), [(NOON - TICK, True), (NOON, False), (NOON + timedelta(hours=1), False)])
def test_a_rule_that_was_made_later_says_nothing_of_a_time_before(
    app: Flask, admin: Api, now: Now, since: datetime, holds: bool
) -> None:
    process = admin.a_process()["id"]
    now(NOON + timedelta(hours=2))
    assert bool(find(app, "no_success_by", since, process_id=process, time="12:00")) == holds


def test_the_message_has_the_time_of_the_zone(app: Flask, admin: Api, now: Now) -> None:
    process = admin.a_process()["id"]
    now(NOON)
    (found,) = find(app, "no_success_by", process_id=process, time="06:30", time_zone="Europe/Berlin")
    assert found.message == 'No job of "Demo" was completed in time: by 2026-11-02 06:30 (Europe/Berlin).'


@pytest.mark.parametrize(
    ("now_is", "zone", "clock", "days", "before", "last"),
    [
        ("2026-11-02T12:00", "UTC", "12:00", (), "2026-11-01T12:00", "2026-11-02T12:00"),
        ("2026-11-02T11:59:59.999999", "UTC", "12:00", (), "2026-10-31T12:00", "2026-11-01T12:00"),
        # another day there than in UTC, on either side
        ("2026-11-02T20:00", "Pacific/Auckland", "08:30", (), "2026-11-01T19:30", "2026-11-02T19:30"),
        ("2026-11-05T03:00", "America/Los_Angeles", "18:00", (), "2026-11-04T02:00", "2026-11-05T02:00"),
        # the clocks are set back in the night: a day of 25 hours, and 02:30 comes twice
        ("2026-10-25T12:00", "Europe/Berlin", "06:00", (), "2026-10-24T04:00", "2026-10-25T05:00"),
        ("2026-10-25T00:30", "Europe/Berlin", "02:30", (), "2026-10-24T00:30", "2026-10-25T00:30"),
        ("2026-10-25T01:30", "Europe/Berlin", "02:30", (), "2026-10-24T00:30", "2026-10-25T00:30"),
        # the clocks are set forth: a day of 23 hours, and 02:30 does not come
        ("2026-03-29T12:00", "Europe/Berlin", "06:00", (), "2026-03-28T05:00", "2026-03-29T04:00"),
        ("2026-03-29T01:29", "Europe/Berlin", "02:30", (), "2026-03-27T01:30", "2026-03-28T01:30"),
        ("2026-03-29T01:30", "Europe/Berlin", "02:30", (), "2026-03-28T01:30", "2026-03-29T01:30"),
        # some days
        ("2026-11-02T12:00", "UTC", "06:00", ("monday", "friday"), "2026-10-30T06:00", "2026-11-02T06:00"),
        ("2026-11-02T05:59", "UTC", "06:00", ("monday",), "2026-10-19T06:00", "2026-10-26T06:00"),
        ("2026-11-01T23:30", "Asia/Tokyo", "08:00", ("monday",), "2026-10-25T23:00", "2026-11-01T23:00"),
    ],
)
def test_a_time_of_the_day_in_a_zone(
    now_is: str, zone: str, clock: str, days: Sequence[str], before: str, last: str
) -> None:
    found = due_times.last_two(at(now_is), time.fromisoformat(clock), ZoneInfo(zone), days)
    assert found == (at(before), at(last))


# --- robots


@pytest.mark.parametrize(
    ("status", "silence", "holds"),
    [
        ("offline", 10 * MINUTE, False),
        ("offline", 10 * MINUTE + TICK, True),
        ("online", timedelta(days=1), False),
        ("offline", None, False),
    ],
)
def test_a_robot_is_offline_for_longer(
    app: Flask, admin: Api, now: Now, status: str, silence: timedelta | None, holds: bool
) -> None:
    robot, _ = admin.a_robot()
    admin.a_robot("never-heard-of")
    heard(app, robot["id"], NOON - silence if silence else None, status)
    now(NOON)
    found = find(app, "robot_offline", longer_than_minutes=10)
    assert [each.subject for each in found] == [f"robot/{robot['id']}"] * holds
    assert [each.message for each in found] == [
        "robot-1 is offline. It was last heard of at 2026-11-02 11:49 UTC."
    ] * holds


def test_one_robot_may_be_watched(app: Flask, admin: Api) -> None:
    robots = [admin.a_robot(name)[0]["id"] for name in ("a", "b")]
    for robot in robots:
        heard(app, robot, NOON)
    assert [each.name for each in find(app, "robot_offline")] == ["a", "b"]
    assert [each.name for each in find(app, "robot_offline", robot_id=robots[1])] == ["b"]


# --- queues


@pytest.fixture
def item(app: Flask, admin: Api) -> Callable[..., int]:
    """Makes an item; `age` is for how long nothing happened to it."""

    def make(age: timedelta, queue: str = "orders", **columns: Any) -> int:
        if queue not in {each["name"] for each in admin.ok(admin.get("/api/queues"))}:
            admin.ok(admin.post("/api/queues", {"name": queue}))
        made = admin.ok(admin.post("/api/queue-items", {"queue_name": queue, "payload": {}}))
        with app.app_context(), transaction() as session:
            values = {"updated_at": NOON - age, **columns}
            session.execute(update(QueueItem).where(QueueItem.id == made["id"]).values(values))
        return int(made["id"])

    return make


@pytest.mark.parametrize(
    ("age", "columns", "holds"),
    [
        (60 * MINUTE, {}, False),
        (60 * MINUTE + TICK, {}, True),
        (timedelta(days=1), {"status": "in_progress"}, False),
        (timedelta(days=1), {"status": "failed"}, False),
        (timedelta(days=1), {"available_at": NOON + MINUTE}, False),
    ],
)
def test_an_item_waits_for_longer(
    app: Flask, now: Now, item: Callable[..., int], age: timedelta, columns: dict[str, Any], holds: bool
) -> None:
    item(age, **columns)
    now(NOON)
    assert bool(find(app, "queue_item_waiting", longer_than_minutes=60)) == holds


def test_a_queue_is_found_once_with_how_many_wait_and_since_when(
    app: Flask, now: Now, item: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for age in (61, 200, 62, 10):
        item(age * MINUTE)
    item(90 * MINUTE, "returns")
    item(MINUTE, "empty")
    now(NOON)
    found = [(each.subject, each.message) for each in find(app, "queue_item_waiting")]
    assert found == [
        ("queue/1", '3 items wait too long in "orders", the first since 2026-11-02 08:40 UTC.'),
        ("queue/2", '1 item waits too long in "returns", the first since 2026-11-02 10:30 UTC.'),
    ]
    assert [each.name for each in find(app, "queue_item_waiting", queue_id=2)] == ["returns"]
    monkeypatch.setattr(queue_alerts, "MOST", 2)
    assert "More than 2 items wait" in find(app, "queue_item_waiting")[0].message


def test_an_item_that_was_deferred_waits_since_it_could_be_claimed(
    app: Flask, admin: Api, item: Callable[..., int]
) -> None:
    item(timedelta(days=2), available_at=NOON, created_at=NOON - timedelta(days=2))
    with app.app_context():
        watchdog.end_waits()
    assert find(app, "queue_item_waiting", longer_than_minutes=1) == []


# --- what a rule may say


@pytest.mark.parametrize(
    ("condition", "parameters", "words"),
    [
        ("robot_offline", {"robot_id": 7}, "There is no robot with the id 7."),
        ("robot_offline", {"robot_id": 10**30}, "There is no robot with the id"),
        ("robot_offline", {"robot_id": "1"}, "Not a valid integer."),
        ("robot_offline", {"longer_than_minutes": 0}, "Must be greater than or equal to 1"),
        ("robot_offline", {"minutes": 5}, "Unknown field."),
        ("robot_offline", {"robot_id": "\0"}, "NUL"),
        ("queue_item_waiting", {"queue_id": 7}, "There is no queue with the id 7."),
        ("jobs_failed_in_a_row", {"process_id": 7}, "There is no process with the id 7."),
        ("jobs_failed_in_a_row", {"failures": 101}, "less than or equal to 100"),
        ("no_success_by", {"time": "06:00"}, "Missing data for required field."),
        ("no_success_by", {"process_id": 1, "time": "25:00"}, "Not a valid time."),
        ("no_success_by", {"process_id": 1, "time": "06:00+02:00"}, "Leave out the offset"),
        ("no_success_by", {"process_id": 1, "time": "06:00", "time_zone": "Berlin"}, "There is no time zone 'Berlin'."),
        ("no_success_by", {"process_id": 1, "time": "06:00", "time_zone": "../../etc"}, "There is no time zone"),
        ("no_success_by", {"process_id": 1, "time": "06:00", "time_zone": "Europe"}, "There is no time zone"),
        ("no_success_by", {"process_id": 1, "time": "06:00", "days": ["someday"]}, "Must be one of: monday"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(
    admin: Api, condition: str, parameters: dict[str, Any], words: str
) -> None:
    admin.a_process()
    answer = admin.post("/api/alert-rules", {"name": "x", "condition": condition, "parameters": parameters})
    refused(answer, 422)
    assert words in answer.text
    assert "parameters" in answer.text


def test_what_is_left_out_is_kept_as_its_default(admin: Api) -> None:
    process = admin.a_process()["id"]
    made = a_rule(admin, "no_success_by", process_id=process, time="06:00")
    assert made["parameters"] == {"process_id": process, "time": "06:00:00", "time_zone": "UTC", "days": []}
    assert a_rule(admin, "robot_offline")["parameters"] == {"robot_id": None, "longer_than_minutes": 10}


def test_a_process_that_is_gone_is_told_on_the_rule(app: Flask, admin: Api) -> None:
    process = admin.a_process()["id"]
    rule = a_rule(admin, "jobs_failed_in_a_row", process_id=process, failures=1)
    with app.app_context(), transaction() as session:
        session.delete(session.get_one(Process, process))
    judge(app)
    error = admin.ok(admin.get(f"/api/alert-rules/{rule['id']}"))["last_error"]
    assert error == f"Its parameters do not fit any more: process_id: There is no process with the id {process}."


def test_conditions_are_read_from_their_indexes(app: Flask, admin: Api, item: Callable[..., int]) -> None:
    """Neither all jobs are read, nor all items of a queue, nor are they sorted."""
    process = admin.a_process()["id"]
    item(MINUTE)
    for condition, index, parameters in (
        ("jobs_failed_in_a_row", "ix_jobs_decided", {}),
        ("no_success_by", "ix_jobs_decided", {"process_id": process, "time": "06:00"}),
        ("queue_item_waiting", "ix_queue_items_since", {}),
    ):
        with app.app_context():
            record = conditions.known()[condition]
            loaded = record.parameters().load(parameters)
            connection = db.session.connection()
            if connection.dialect.name == "postgresql":
                for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):  # for few rows they are faster
                    connection.execute(text(f"SET {setting} = off"))
            with statements(connection) as sent:
                list(record.find(loaded, LONG_AGO))
            plans = [plan(connection, *one) for one in sent]
        assert any(index in found for found in plans), plans
