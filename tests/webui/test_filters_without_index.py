"""Lists whose filters no index serves: a page looks through so many rows, and the next one goes on from there."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from bvo.database import db
from bvo.entities import looking, slices
from bvo_jobs.models import Job
from support.api import Api
from support.browser import Browser

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SO_FAR = "were looked through so far"


@pytest.fixture
def signed_in(client: FlaskClient) -> Browser:
    browser = Browser(client)
    browser.log_in()
    return browser


@pytest.fixture
def jobs(admin: Api, app: Flask) -> list[int]:
    """Twelve jobs of two processes, oldest first: the first, the seventh and the last have failed."""
    processes = [admin.a_process(name) for name in ("Daily", "Weekly")]
    made = [admin.a_job(processes[number % 2])["id"] for number in range(12)]
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(update(Job).where(Job.id.in_([made[0], made[6], made[11]])).values(status="failed"))
    return made


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page looks through two rows."""
    for most in ("IN_AN_INDEX", "IN_A_ROW", "APART"):
        monkeypatch.setattr(looking, most, 2)


def shown(page: str, path: str = "/ui/jobs/") -> list[int]:
    return [int(found) for found in re.findall(rf'<a class="leading" href="{path}(\d+)">', page)]


def link(page: str, rel: str) -> str:
    found = re.search(rf'href="([^"]+)" rel="{rel}"', page)
    return html.unescape(found[1]) if found else ""


def walk(browser: Browser, address: str, rel: str = "next") -> list[int]:
    """The rows of all pages from this one on."""
    rows: list[int] = []
    while address:
        page = browser.get(address).text
        rows += shown(page) if rel == "next" else shown(page)[::-1]
        address = link(page, rel)
    return rows


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("sort", ["", "&sort=id", "&sort=created_at", "&sort=-created_at", "&sort=-status"])
def test_all_that_fit_are_found_page_by_page(jobs: list[int], signed_in: Browser, sort: str) -> None:
    failed = [jobs[0], jobs[6]]
    found = walk(signed_in, f"/ui/jobs/?status=failed&process_id=1{sort}")
    assert found == (failed if sort in ("&sort=id", "&sort=created_at") else failed[::-1])


@pytest.fixture
def ended(jobs: list[int], app: Flask) -> list[int]:
    """The twelve jobs, which ended hour by hour, the oldest last; what failed stays so."""
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(update(Job).where(Job.status == "pending").values(status="completed"))
        for back, job in enumerate(jobs):
            connection.execute(update(Job).where(Job.id == job).values(finished_at=NOON - timedelta(hours=back)))
    return jobs


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("sort", ["", "&sort=finished_at", "&sort=-id", "&sort=id", "&sort=-status"])
@pytest.mark.parametrize("more", ["&status=failed", "&process_id=1", "&status=failed&process_id=2"])
def test_all_of_a_range_of_time_are_found_page_by_page(
    ended: list[int], signed_in: Browser, more: str, sort: str
) -> None:
    given = f"finished_from=2026-11-20T01:00&finished_before=2026-11-20T12:00{more}{sort}"  # all but the first
    found = walk(signed_in, f"/ui/jobs/?{given}")
    fitting = {
        "&status=failed": [ended[6], ended[11]],
        "&process_id=1": ended[2::2],
        "&status=failed&process_id=2": [ended[11]],
    }[more]
    assert sorted(found) == fitting
    by_time = {"": fitting, "&sort=finished_at": fitting[::-1], "&sort=id": fitting, "&sort=-id": fitting[::-1]}
    assert found == by_time.get(sort, found)


@pytest.mark.usefixtures("little")
def test_all_with_a_trouble_are_found_page_by_page(jobs: list[int], signed_in: Browser, app: Flask) -> None:
    with app.app_context(), db.engine.begin() as connection:
        late = update(Job).where(Job.id.in_([jobs[1], jobs[6], jobs[8]]))
        connection.execute(late.values(created_at=NOON - timedelta(days=300)))
    assert walk(signed_in, "/ui/jobs/?trouble=late&sort=id") == [jobs[1], jobs[8]], "one of them has failed"
    assert walk(signed_in, "/ui/jobs/?trouble=late") == [jobs[8], jobs[1]]
    assert len(walk(signed_in, "/ui/jobs/?trouble=stranded")) == 9, "no robot is there"


def test_where_an_index_has_all_that_is_asked_more_is_looked_through(
    ended: list[int], signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "APART", 2)
    whole = signed_in.get("/ui/jobs/?finished_from=2026-11-20T01:00&status=failed").text
    assert (shown(whole), "3 found" in whole, SO_FAR in whole) == ([ended[0], ended[6], ended[11]], True, False)
    assert SO_FAR in signed_in.get("/ui/jobs/?finished_from=2026-11-20T01:00&process_id=1").text


@pytest.mark.usefixtures("little")
def test_the_way_back_leads_over_the_same_rows(jobs: list[int], signed_in: Browser) -> None:
    last = f"/ui/jobs/?status=pending&process_id=1&page_size=1&before={jobs[0]}"
    mine = [job for number, job in enumerate(jobs) if number % 2 == 0 and number not in (0, 6)]
    assert walk(signed_in, last, "prev") == mine


@pytest.mark.usefixtures("little")
def test_a_page_says_that_it_is_not_all(jobs: list[int], signed_in: Browser) -> None:
    first = signed_in.get("/ui/jobs/?status=pending&process_id=1").text
    assert (SO_FAR in first, " found</p>" in first, bool(link(first, "next"))) == (True, False, True)
    last = signed_in.get(f"/ui/jobs/?status=failed&process_id=1&after={jobs[6]}").text
    assert (shown(last), SO_FAR in last, link(last, "next")) == ([jobs[0]], False, "")


def test_few_rows_are_counted_and_shown_at_once(jobs: list[int], signed_in: Browser) -> None:
    page = signed_in.get("/ui/jobs/?status=failed&process_id=1").text
    assert (shown(page), "2 found" in page, SO_FAR in page) == ([jobs[6], jobs[0]], True, False)
    second = signed_in.get(link(signed_in.get("/ui/jobs/?status=pending&process_id=1&page_size=2").text, "next")).text
    assert "4 found" in second


@pytest.mark.usefixtures("little")
def test_many_rows_are_acted_upon_wherever_they_stand(jobs: list[int], signed_in: Browser) -> None:
    page = signed_in.get("/ui/jobs/bulk?action=cancel&all=true&status=pending&process_id=1").text
    assert "Cancel: 4 of 4 chosen" in page


@pytest.mark.usefixtures("little")
def test_an_export_has_all_that_fit(jobs: list[int], signed_in: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "BATCH", 1)
    lines = signed_in.get("/ui/jobs/export.csv?status=failed&process_id=1").text.splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [str(jobs[6]), str(jobs[0])]


@pytest.mark.usefixtures("little")
def test_a_search_says_where_old_names_are_found(admin: Api, signed_in: Browser) -> None:
    queue = admin.ok(admin.post("/api/queues", {"name": "orders"}))["id"]
    for number in range(4):
        admin.ok(admin.post("/api/queue-items", {"queue_id": queue, "reference": f"ORD-{number}"}))
    page = signed_in.get("/ui/queue-items/?search=ORD-0").text
    assert (SO_FAR in page, "Nothing matches so far" in page) == (True, True)
    assert '<a href="/ui/search?q=ORD-0">Search</a>' in page
    assert "/ui/queue-items/1" in signed_in.get("/ui/search?q=ORD-0").text
