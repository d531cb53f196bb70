"""Lists: sorted, paged both ways, with columns of one's choice, acted upon by many rows, and taken along as CSV."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from bvo.database import transaction
from bvo.entities import slices
from bvo_audit import query
from bvo_jobs.models import Job
from bvo_jobs.service import JobService
from bvo_webui import bulk_actions
from support.api import Api
from support.browser import Browser


@pytest.fixture
def signed_in(client: FlaskClient) -> Browser:
    browser = Browser(client)
    browser.log_in()
    return browser


@pytest.fixture
def jobs(admin: Api) -> list[int]:
    """Five pending jobs of one process, oldest first."""
    process = admin.a_process()
    return [admin.a_job(process)["id"] for _ in range(5)]


def shown(page: str, path: str = "/ui/jobs/") -> list[int]:
    return [int(found) for found in re.findall(rf'<a class="leading" href="{path}(\d+)">', page)]


def link(page: str, rel: str) -> str:
    found = re.search(rf'href="([^"]+)" rel="{rel}"', page)
    return html.unescape(found[1]) if found else ""


def state_of(admin: Api, job: int) -> str:
    return str(admin.ok(admin.get(f"/api/jobs/{job}"))["status"])


# --- order and places


def test_one_pages_back_the_way_one_came(jobs: list[int], admin: Api, signed_in: Browser) -> None:
    newest = jobs[::-1]
    first = signed_in.get("/ui/jobs/?page_size=2").text
    second = signed_in.get(link(first, "next")).text
    third = signed_in.get(link(second, "next")).text
    assert [shown(page) for page in (first, second, third)] == [newest[:2], newest[2:4], newest[4:]]
    assert link(first, "prev") == link(third, "next") == ""
    admin.a_job(admin.ok(admin.get("/api/processes"))[0])
    assert shown(signed_in.get(link(third, "prev")).text) == newest[2:4], "rows that came meanwhile move nothing"


def test_a_list_sorted_by_another_column_is_paged_in_that_order(admin: Api, signed_in: Browser) -> None:
    names = ["b", "d", "a", "e", "c"]
    ids = {name: admin.ok(admin.post("/api/queues", {"name": name}))["id"] for name in names}
    for sort, expected in (("name", "abcde"), ("-name", "edcba"), ("id", "bdaec")):
        page, seen = signed_in.get(f"/ui/queues/?sort={sort}&page_size=2").text, []
        seen.append(shown(page, "/ui/queues/"))
        while following := link(page, "next"):
            assert f"sort={sort}" in following
            page = signed_in.get(following).text
            seen.append(shown(page, "/ui/queues/"))
        assert [each for part in seen for each in part] == [ids[name] for name in expected]
        assert shown(signed_in.get(link(page, "prev")).text, "/ui/queues/") == seen[1]


def test_many_rows_of_one_value_and_times_are_paged_without_a_gap(jobs: list[int], signed_in: Browser) -> None:
    for sort, expected in (("status", jobs), ("-created_at", jobs[::-1])):
        page = signed_in.get(f"/ui/jobs/?sort={sort}&page_size=2").text
        seen = shown(page)
        while following := link(page, "next"):
            page = signed_in.get(following).text
            seen += shown(page)
        assert seen == expected


def test_only_what_an_index_keeps_in_order_can_be_sorted(jobs: list[int], signed_in: Browser) -> None:
    page = signed_in.get("/ui/jobs/").text
    assert 'href="/ui/jobs/?sort=created_at"' in page
    assert "sort=finished_at" not in page
    signed_in.get("/ui/jobs/?sort=finished_at", 400)
    signed_in.get("/ui/audit/?sort=id", 400)
    assert 'aria-sort="ascending"' in signed_in.get("/ui/jobs/?sort=created_at").text


def test_a_place_that_is_none_is_refused(jobs: list[int], signed_in: Browser) -> None:
    for query_string in (
        "after=x",
        "sort=created_at&after=7",
        "sort=created_at&before=7:yesterday",
        "after=" + "9" * 40,
    ):
        signed_in.get(f"/ui/jobs/?{query_string}", 400)


# --- columns


def test_the_chosen_columns_are_remembered_for_this_list(jobs: list[int], signed_in: Browser) -> None:
    assert 'data-label="Robot"' in signed_in.get("/ui/jobs/").text
    sent = signed_in.get("/ui/jobs/?columns=id&columns=status&columns=nonsense&status=pending", 302)
    assert sent.location == "/ui/jobs/?status=pending"
    page = signed_in.get(sent.location).text
    assert 'data-label="Status"' in page
    assert 'data-label="Robot"' not in page
    assert 'data-label="Robot"' not in signed_in.get("/ui/jobs/?sort=id").text
    signed_in.get("/ui/jobs/?columns=", 302)
    assert 'data-label="Robot"' in signed_in.get("/ui/jobs/").text


# --- what a page that asks again gets


def test_the_table_is_sent_again_only_after_a_change(jobs: list[int], admin: Api, signed_in: Browser) -> None:
    page = signed_in.get("/ui/jobs/?status=pending&page_size=3").text
    poll = re.search(r'data-poll="([^"]+)"', page)
    assert poll
    address = html.unescape(poll[1])
    tag = {"If-None-Match": signed_in.get(address).headers["ETag"]}
    assert signed_in.get(address, 304, **tag).data == b""
    admin.ok(admin.post(f"/api/jobs/{jobs[-1]}/cancel"))
    answer = signed_in.get(address, **tag).text
    assert shown(answer) == jobs[-2::-1][:3]
    assert "<html" not in answer


# --- many rows at once


def test_what_would_be_touched_is_shown_first(jobs: list[int], admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.post(f"/api/jobs/{jobs[0]}/cancel"))
    address = f"/ui/jobs/bulk?action=cancel&ids={jobs[0]}&ids={jobs[1]}&ids={jobs[2]}&ids=999999"
    page = signed_in.get(address).text
    assert "2 of 3 chosen" in page
    assert shown(page) == [jobs[2], jobs[1]]
    assert state_of(admin, jobs[1]) == "pending"
    done = signed_in.send(signed_in.form(address), 200).text
    assert "Cancel: 2 done" in done
    links = [f'<a href="/ui/jobs/{job}">#{job}</a>' for job in (jobs[2], jobs[1])]
    assert f"is done with 2 jobs: {', '.join(links)}." in done
    assert [state_of(admin, job) for job in jobs] == ["canceled"] * 3 + ["pending"] * 2
    told = admin.ok(admin.get("/api/audit?action=job.canceled"))["items"]
    assert len(told) == 3, "each row has its own event"


def test_all_that_match_are_meant_as_they_were_shown(jobs: list[int], admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.post(f"/api/jobs/{jobs[0]}/cancel"))
    form = signed_in.form("/ui/jobs/bulk?action=cancel&all=true&status=pending")
    late = admin.a_job(admin.ok(admin.get("/api/processes"))[0])["id"]
    assert "Cancel: 4 done" in signed_in.send(form, 200).text
    assert state_of(admin, late) == "pending"


def test_what_fails_is_named_with_its_reason_and_the_others_are_done(
    jobs: list[int], admin: Api, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = signed_in.form(f"/ui/jobs/bulk?action=cancel&ids={jobs[0]}&ids={jobs[1]}&ids={jobs[2]}")
    admin.ok(admin.post(f"/api/jobs/{jobs[1]}/cancel"))
    cancel = JobService.cancel

    def broken(self: JobService, row_id: int) -> object:
        if row_id == jobs[2]:
            raise RuntimeError("inside")
        return cancel(self, row_id)

    monkeypatch.setattr(JobService, "cancel", broken)
    done = signed_in.send(form, 200).text
    assert "Cancel: 1 done, 2 not" in done
    assert "can&#39;t become canceled" in done
    assert "The server failed at this row" in done
    assert "inside" not in done


def test_a_second_click_does_it_once(jobs: list[int], admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.post(f"/api/jobs/{jobs[0]}/cancel"))
    form = signed_in.form(f"/ui/jobs/bulk?action=retry&ids={jobs[0]}")
    assert signed_in.send(form, 200).text == signed_in.send(form, 200).text
    assert len(admin.ok(admin.get("/api/jobs"))) == 6


def test_what_came_of_many_rows_is_linked_and_what_is_gone_is_named(
    jobs: list[int], admin: Api, signed_in: Browser
) -> None:
    admin.ok(admin.post(f"/api/jobs/{jobs[0]}/cancel"))
    done = signed_in.send(signed_in.form(f"/ui/jobs/bulk?action=retry&ids={jobs[0]}"), 200).text
    made = jobs[-1] + 1
    assert f'<a href="/ui/jobs/{jobs[0]}">#{jobs[0]}</a> made <a href="/ui/jobs/{made}">#{made}</a>.' in done
    machines = [admin.ok(admin.post("/api/machines", {"name": f"HOST-{number:02}"}))["id"] for number in range(12)]
    query = "&".join(f"ids={machine}" for machine in machines)
    done = signed_in.send(signed_in.form(f"/ui/machines/bulk?action=delete&{query}"), 200).text
    assert "is done with 12 machines: HOST-11, HOST-10," in done
    assert "HOST-02 and 2 more." in done


def test_what_is_not_reached_in_time_is_left_for_another_go(
    jobs: list[int], admin: Api, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = signed_in.form(f"/ui/jobs/bulk?action=cancel&ids={jobs[0]}&ids={jobs[1]}")
    monkeypatch.setattr(bulk_actions, "BUDGET_SECONDS", -1.0)
    assert "2 were not reached in time" in signed_in.send(form, 200).text
    assert state_of(admin, jobs[0]) == "pending"


def test_many_rows_need_the_permission_of_one(
    jobs: list[int], user_with: Callable[..., Api], client: FlaskClient, admin: Api
) -> None:
    user_with("jobs:view")
    browser = Browser(client)
    browser.log_in("user-1", "correct horse")
    page = browser.get("/ui/jobs/").text
    assert 'name="ids"' not in page
    browser.get(f"/ui/jobs/bulk?action=cancel&ids={jobs[0]}", 403)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    form = {"csrf_token": token[1], "action": "cancel", "ids": str(jobs[0])}
    assert client.post("/ui/jobs/bulk", data=form, headers={"Accept": "text/html"}).status_code == 403
    assert state_of(admin, jobs[0]) == "pending"


def test_nothing_is_done_without_the_token_or_with_too_much(jobs: list[int], signed_in: Browser) -> None:
    form = {"action": "cancel", "ids": str(jobs[0])}
    assert signed_in.client.post("/ui/jobs/bulk", data=form).status_code == 403
    signed_in.get("/ui/jobs/bulk?action=cancel", 400)
    signed_in.get("/ui/jobs/bulk?action=nonsense&ids=1", 404)
    signed_in.get("/ui/jobs/bulk?action=create&ids=1", 404)
    sheet = signed_in.form(f"/ui/jobs/bulk?action=cancel&ids={jobs[0]}")
    signed_in.send(sheet, 400, ids=",".join(map(str, range(1, 1002))))


# --- CSV


def exported(browser: Browser, address: str) -> list[dict[str, str]]:
    answer = browser.get(address)
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_list_is_exported_as_it_is_filtered_and_sorted(
    jobs: list[int], admin: Api, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "BATCH", 2)
    admin.ok(admin.post(f"/api/jobs/{jobs[0]}/cancel"))
    rows = exported(signed_in, "/ui/jobs/export.csv?status=pending&sort=id")
    assert [int(row["id"]) for row in rows] == jobs[1:]
    assert rows[0]["process"] == "Demo"
    told = admin.ok(admin.get("/api/audit?action=list.export&entity_type=job"))["items"]
    assert [event["message"] for event in told] == ["User admin exported Jobs as CSV."]
    detail = admin.ok(admin.get(f"/api/audit/{told[0]['id']}"))
    assert detail["metadata"] == {"filters": {"status": "pending"}, "sort": "id"}


def test_a_spreadsheet_takes_no_cell_for_a_formula(admin: Api, signed_in: Browser) -> None:
    for name in ("=1+1", "@x", "plain"):
        admin.ok(admin.post("/api/queues", {"name": name, "description": "-2", "max_retries": 7}))
    rows = exported(signed_in, "/ui/queues/export.csv")
    assert [row["name"] for row in rows] == ["plain", "'@x", "'=1+1"]
    assert (rows[0]["description"], rows[0]["max_retries"]) == ("'-2", "7")


def test_an_export_has_no_secrets_and_needs_the_permission(
    admin: Api, user_with: Callable[..., Api], client: FlaskClient, signed_in: Browser
) -> None:
    admin.ok(admin.post("/api/assets", {"name": "key", "type": "secret", "value": "opensesame"}))
    assert "opensesame" not in signed_in.get("/ui/assets/export.csv").text
    user_with("queues:view")
    other = Browser(client.application.test_client())
    other.log_in("user-1", "correct horse")
    other.get("/ui/assets/export.csv", 403)


def test_the_audit_log_is_exported_to_its_end(admin: Api, signed_in: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "LOOKED_THROUGH", 2)
    monkeypatch.setattr(slices, "BATCH", 2)
    for number in range(4):
        admin.ok(admin.post("/api/queues", {"name": f"q{number}"}))
    rows = exported(signed_in, "/ui/audit/export.csv?search=queue.create")
    assert [row["entity_name"] for row in rows] == ["q3", "q2", "q1", "q0"]


# --- ranges of time


def test_a_range_of_time_is_paged_in_its_order_and_stays_in_the_form(
    app: Flask, jobs: list[int], signed_in: Browser
) -> None:
    with app.app_context(), transaction() as session:
        for number, job in enumerate(jobs[:4]):
            at = datetime(2026, 11, 20, 12 - number, 30, 7, tzinfo=UTC)
            session.execute(update(Job).where(Job.id == job).values(status="failed", finished_at=at))
    first = signed_in.get("/ui/jobs/?finished_from=2026-11-20T10:30:07%2B01:00&page_size=2").text
    assert 'type="datetime-local" name="finished_from" value="2026-11-20T09:30:07" step="any"' in first
    second = signed_in.get(link(first, "next")).text
    assert (shown(first), shown(second)) == (jobs[:2], jobs[2:4])
    assert shown(signed_in.get(link(second, "prev")).text) == jobs[:2]
    (by_time,) = re.findall(r'aria-sort="descending"><a href="([^"]+)">Finished', first)
    reversed_ = signed_in.get(html.unescape(by_time)).text
    assert shown(reversed_) == jobs[3:1:-1]
    without = signed_in.get("/ui/jobs/?finished_from=&sort=finished_at").text
    assert shown(without) == jobs[::-1], "where the range is taken out, that order goes with it"
    refused = signed_in.get("/ui/jobs/?finished_from=noon", 422).text
    assert 'name="finished_from" value="noon"' in refused


def test_a_queue_leads_to_what_ended_in_each_hour(admin: Api, signed_in: Browser) -> None:
    queue = admin.ok(admin.post("/api/queues", {"name": "orders"}))["id"]
    for status in ("completed", "failed", "failed"):
        item = admin.ok(admin.post("/api/queue-items", {"queue_id": queue}))["id"]
        for following in ("in_progress", status):
            admin.ok(admin.put(f"/api/queue-items/{item}", {"status": following}))
    page = signed_in.get(f"/ui/queues/{queue}").text
    found = re.findall(r'<a href="([^"]+)">(\d) (?:completed|failed)</a>', page)
    assert [number for _, number in found] == ["1", "2"]
    (bar,) = re.findall(r'<a href="([^"]+)" tabindex="-1"><rect class="bad"', page)
    assert "&amp;ended_before=" in bar
    for url, number in (*found, (bar, "2")):
        assert f'<p class="muted count">{number} found</p>' in signed_in.get(html.unescape(url)).text


def test_what_a_row_refers_to_has_its_name_for_those_who_may_see_it(
    admin: Api, signed_in: Browser, user_with: Callable[..., Api], client: FlaskClient
) -> None:
    queue = admin.ok(admin.post("/api/queues", {"name": "orders"}))["id"]
    item = admin.ok(admin.post("/api/queue-items", {"queue_id": queue, "reference": "ORD-1"}))["id"]
    link = f'<a href="/ui/queues/{queue}">orders</a>'
    for page in ("/ui/queue-items/", f"/ui/queue-items/{item}", "/ui/queue-items/bulk?action=delete&all=true"):
        assert link in signed_in.get(page).text
    user_with("queue_items:view")
    other = Browser(client)
    other.log_in("user-1", "correct horse")
    assert "ORD-1" in other.get("/ui/queue-items/").text
    assert "orders" not in other.get("/ui/queue-items/").text


def test_what_a_form_offers_as_a_choice_reads_the_same_in_lists_and_filters(admin: Api, signed_in: Browser) -> None:
    admin.ok(admin.post("/api/assets", {"name": "limit", "type": "int", "value": 42}))
    page = signed_in.get("/ui/assets/?type=int").text
    assert '<option value="int" selected>Number</option>' in page
    assert re.search(r'<td [^>]*data-label="Type"[^>]*>Number</td>', page)
    assert re.search(r'data-label="Action"[^>]*>Status changed<', _after_a_change_of_state(admin, signed_in))


def _after_a_change_of_state(admin: Api, signed_in: Browser) -> str:
    admin.ok(admin.post(f"/api/jobs/{admin.a_job()['id']}/cancel"))
    return signed_in.get("/ui/audit/").text
