"""The dashboard: what needs attention, how jobs ended, and a page that asks again."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from bvo.database import db, transaction, utcnow
from bvo_jobs import hours
from bvo_jobs.models import Job, JobHour
from bvo_robots.models import Robot
from support.api import Api
from support.browser import Browser


@pytest.fixture
def signed_in(client: FlaskClient) -> Browser:
    browser = Browser(client)
    browser.log_in()
    return browser


@pytest.fixture
def change(app: Flask) -> Callable[..., None]:
    """Sets columns of a row, past every rule."""

    def change(model: Any, row_id: int, **values: Any) -> None:
        with app.app_context(), transaction() as session:
            session.execute(update(model).where(model.id == row_id).values(**values))

    return change


def attention(page: str) -> list[str]:
    found = re.findall(r"<strong>([^<]+)</strong> ([^<]+)</a></li>", page)
    return [f"{number} {words}" for number, words in found]


def test_where_all_is_well_nothing_needs_attention(signed_in: Browser) -> None:
    assert "Nothing needs you now" in signed_in.get("/ui/").text


def test_what_needs_a_person_is_said_with_its_number_and_list(
    admin: Api, signed_in: Browser, change: Callable[..., None]
) -> None:
    process = admin.a_process()
    robot, _ = admin.a_robot()
    old = utcnow() - timedelta(hours=1)
    change(Robot, robot["id"], last_heartbeat=old)
    change(Job, admin.a_job(process)["id"], status="failed", finished_at=utcnow())
    change(Job, admin.a_job(process)["id"], status="failed", finished_at=utcnow() - timedelta(days=3))
    change(Job, admin.a_job(process, robot_id=robot["id"])["id"], created_at=old)
    page = signed_in.get("/ui/").text
    assert attention(page) == [
        "1 job failed in 24 hours",
        "1 job waits too long",
        "1 job waits without a robot",
        "1 robot fell silent",
    ]


def test_each_number_leads_to_a_list_of_as_many(
    admin: Api, signed_in: Browser, change: Callable[..., None], app: Flask
) -> None:
    process, now = admin.a_process(), utcnow()
    robots = [admin.a_robot(name)[0]["id"] for name in ("fell-silent", "drains", "never-seen")]
    change(Robot, robots[0], last_heartbeat=now - timedelta(hours=1))
    change(Robot, robots[1], is_draining=True)
    ends = ((0, "failed"), (2, "failed"), (2, "completed"), (2, "completed"), (20, "canceled"), (30, "failed"))
    for back, status in ends:
        change(Job, admin.a_job(process)["id"], status=status, finished_at=now - timedelta(hours=back))
    late = now - timedelta(hours=1)
    change(Job, admin.a_job(process)["id"], created_at=late)
    change(Job, admin.a_job(process, robot_id=robots[2])["id"], created_at=late)
    running = {"status": "running", "robot_id": robots[0], "lease_expires_at": now + timedelta(hours=1)}
    change(Job, admin.a_job(process)["id"], deadline_at=late, **running)
    change(Job, admin.a_job(process)["id"], available_at=now + timedelta(hours=1), created_at=late)
    for path in ("/ui/", "/ui/?range=7d", "/ui/?range=30d"):
        found = numbers(signed_in.get(path).text)
        assert len(found) > 8
        for number, url in found:
            assert f'<p class="muted count">{number} found</p>' in signed_in.get(url).text, f"{number}: {url}"


def numbers(page: str) -> list[tuple[str, str]]:
    """Of what needs attention, of the chart and of its bars, but those that are 0."""
    attention = r'<a href="([^"]+)"><strong>(\d+)</strong>'
    legend = r'<dt><a href="([^"]+)">\w+</a></dt><dd>(\d+)</dd>'
    cells = r'<td class="number"><a href="([^"]+)">(\d+)</a></td>'
    return [
        (number, html.unescape(url))
        for pattern in (attention, legend, cells)
        for url, number in re.findall(pattern, page)
        if number != "0"
    ]


def test_a_bar_leads_to_what_ended_in_its_hour(admin: Api, signed_in: Browser, change: Callable[..., None]) -> None:
    hour = hours.hour_of(utcnow()) - timedelta(hours=3)
    job = admin.a_job()["id"]
    change(Job, job, status="failed", finished_at=hour + timedelta(minutes=59))
    (url,) = re.findall(r'<a href="([^"]+)" tabindex="-1"><rect class="failed"', signed_in.get("/ui/").text)
    until = hour + timedelta(hours=1)
    times = f"finished_from={hour:%Y-%m-%dT%H:%M}&finished_before={until:%Y-%m-%dT%H:%M}"
    assert html.unescape(url) == f"/ui/jobs/?status=failed&{times}"
    assert f'href="/ui/jobs/{job}"' in signed_in.get(html.unescape(url)).text


def test_one_sees_the_cards_of_what_one_may_view(
    admin: Api, user_with: Callable[..., Api], client: FlaskClient, change: Callable[..., None]
) -> None:
    change(Job, admin.a_job()["id"], status="failed", finished_at=utcnow())
    user_with("dashboard:view", "robots:view")
    browser = Browser(client)
    browser.log_in("user-1", "correct horse")
    page = browser.get("/ui/").text
    assert re.findall(r'id="card-(\w+)"', page) == ["attention", "robots_busy", "fleet"]
    assert attention(page) == []


def test_hours_that_are_over_are_counted_once_and_the_others_as_they_are(
    app: Flask, admin: Api, signed_in: Browser, change: Callable[..., None]
) -> None:
    process = admin.a_process()
    jobs = [admin.a_job(process)["id"] for _ in range(4)]
    past = hours.hour_of(utcnow()) - timedelta(hours=3)
    for job, minutes, status in zip(jobs, (0, 59, 60, 61), ("completed", "failed", "failed", "failed"), strict=True):
        change(Job, job, status=status, finished_at=past + timedelta(minutes=minutes))
    with app.app_context():
        before = hours.ended(past)
        assert (before[past], before[past + hours.HOUR]) == ({"completed": 1, "failed": 1}, {"failed": 2})
        for _ in range(2 + hours.KEPT // hours.HOUR // hours.BATCH):
            hours.summarise()
        assert {hour: +counts for hour, counts in hours.ended(past).items()} == before
        kept = db.session.scalar(select(func.count()).select_from(JobHour))
        hours.summarise()
        assert db.session.scalar(select(func.count()).select_from(JobHour)) == kept
    change(Job, jobs[0], finished_at=past + timedelta(days=-40))
    with app.app_context():
        assert hours.ended(past)[past]["completed"] == 1, "it is not counted again"
    page = signed_in.get("/ui/?range=7d").text
    assert 'href="/ui/?range=7d" aria-current="true"' in page
    assert re.search(r"Completed</a></dt><dd>1</dd>", page)
    assert re.search(r"Failed</a></dt><dd>3</dd>", page)


def test_the_cards_are_sent_again_only_after_a_change(admin: Api, signed_in: Browser) -> None:
    job = admin.a_job()["id"]
    page = signed_in.get("/ui/?range=30d").text
    poll = re.search(r'id="cards" hx-get="([^"]+)"', page)
    assert poll
    assert poll[1] == "/ui/cards?range=30d"
    tag = {"If-None-Match": signed_in.get(html.unescape(poll[1])).headers["ETag"]}
    assert signed_in.get(poll[1], 304, **tag).data == b""
    admin.ok(admin.post(f"/api/jobs/{job}/cancel"))
    assert "Canceled" in signed_in.get(poll[1], **tag).text


def test_queues_show_what_waits_and_for_how_long(admin: Api, signed_in: Browser) -> None:
    queue = admin.ok(admin.post("/api/queues", {"name": "orders"}))["id"]
    for number in range(3):
        admin.ok(admin.post("/api/queue-items", {"queue_name": "orders", "payload": {"order": number}}))
    page = signed_in.get("/ui/").text
    assert f'<a href="/ui/queue-items/?queue_id={queue}&amp;status=new">3</a>' in page
