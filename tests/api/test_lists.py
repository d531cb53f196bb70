"""Lists: paged, filtered, bounded, and the same with a slash behind."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text, update

from bvo.database import db, transaction, utcnow
from bvo.entities import fetch_page
from bvo.registry import Registry
from bvo_hookspecs import EntityType
from bvo_jobs.models import Job
from support.api import Api
from support.plans import plan, statements
from support.problems import refused


@pytest.fixture
def names(admin: Api) -> list[str]:
    """The names of seven machines, newest first."""
    made = [f"HOST-{number}" for number in range(7)]
    for name in made:
        admin.ok(admin.post("/api/machines", {"name": name}))
    return made[::-1]


def walk(admin: Api, path: str) -> list[list[str]]:
    """The names on each page, by following the Link headers."""
    pages = []
    while path:
        answer = admin.get(path)
        pages.append([row["name"] for row in admin.ok(answer)])
        link = re.fullmatch(r'<http://localhost(.+)>; rel="next"', answer.headers.get("Link", "<http://localhost>"))
        path = link[1] if link else ""
    return pages


def test_following_the_links_visits_each_row_once(admin: Api, names: list[str]) -> None:
    assert walk(admin, "/api/machines?page_size=3") == [names[:3], names[3:6], names[6:]]
    assert walk(admin, "/api/machines?page_size=7") == [names]


def test_the_links_keep_filters_and_do_not_jump_when_rows_come_and_go(admin: Api, names: list[str]) -> None:
    answer = admin.get("/api/machines?page_size=3&search=host-")
    admin.ok(admin.post("/api/machines", {"name": "HOST-new"}))
    admin.ok(admin.post("/api/machines", {"name": "other"}))
    assert admin.delete(f"/api/machines/{admin.ok(answer)[0]['id']}").status_code == 204
    link = answer.headers["Link"].partition(">")[0].partition("localhost")[2]
    assert walk(admin, link) == [names[3:6], names[6:]]


def test_pages_by_number_have_totals(admin: Api, names: list[str]) -> None:
    answer = admin.get("/api/machines?page=3&page_size=3")
    assert [row["name"] for row in admin.ok(answer)] == names[6:]
    totals = {"total": 7, "total_pages": 3, "page": 3, "page_size": 3}
    assert json.loads(answer.headers["X-Pagination"]) == totals
    beyond = admin.get("/api/machines?page=4&page_size=3")
    assert (admin.ok(beyond), json.loads(beyond.headers["X-Pagination"])) == ([], {**totals, "page": 4})


@pytest.mark.parametrize("path", ["/api/machines", "/api/jobs", "/api/packages", "/api/access/users", "/api/settings"])
def test_a_slash_behind_is_the_same_resource_without_a_redirect(admin: Api, path: str) -> None:
    assert admin.get(f"{path}/").status_code == 200
    assert admin.ok(admin.get(f"{path}/")) == admin.ok(admin.get(path))


def test_bad_paging_is_refused(admin: Api, subtests: pytest.Subtests) -> None:
    for query in (
        *("page=0", "page=-1", "page=x", "page=1.5", "page=100001"),
        *("page_size=0", "page_size=201", "page_size=x", "page_size=" + "9" * 30),
        *("after=-1", "after=x", f"after={2**31}", "after=" + "9" * 30),
    ):
        with subtests.test(query):
            errors = refused(admin.get(f"/api/jobs?{query}"), 422)["errors"]
            assert list(errors) == [query.partition("=")[0]]


def test_bad_filters_are_refused_and_strange_ones_find_nothing(admin: Api, subtests: pytest.Subtests) -> None:
    for query, status in (
        ("jobs?process_id=x", 422),
        ("jobs?process_id=0", 422),
        (f"jobs?process_id={2**31}", 422),
        ("jobs?robot_id=" + "9" * 30, 422),
        ("jobs?status=nope", 422),
        ("packages?active_only=maybe", 422),
        ("packages?search=%00", 422),
        ("packages?name=a%00b", 422),
        ("packages?search=%ff", 200),
        ("packages?search=%ED%A0%80", 200),
        ("packages?search=" + "x" * 5000, 200),
        ("packages?nonsense=%ff", 200),
        ("jobs?status=&process_id=&robot_id=&page=", 200),
        ("packages?search=&active_only=&name=", 200),
        ("access/users?search=%25", 200),
    ):
        with subtests.test(query[:40]):
            answer = admin.get(f"/api/{query}")
            if status == 200:
                assert admin.ok(answer) == []
            else:
                refused(answer, status)


def test_a_search_takes_wildcards_as_they_are_and_ignores_case(admin: Api) -> None:
    for name in ("50%_off", "50 off", "Straße"):
        admin.ok(admin.post("/api/machines", {"name": name}))
    for sought, found in (("50%25_OFF", ["50%_off"]), ("%25", ["50%_off"]), ("_", ["50%_off"]), ("STR", ["Straße"])):
        assert [row["name"] for row in admin.ok(admin.get(f"/api/machines?search={sought}"))] == found


# --- ranges of time

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def ended(app: Flask, admin: Api) -> list[int]:
    """Five jobs, each of which ended an hour before the one that was made before it: the latest first."""
    process = admin.a_process()
    jobs = [int(admin.a_job(process)["id"]) for _ in range(5)]
    with app.app_context(), transaction() as session:
        for number, job in enumerate(jobs):
            at = NOON - number * timedelta(hours=1)
            session.execute(update(Job).where(Job.id == job).values(status="completed", finished_at=at))
    return jobs


def ids(admin: Api, query: str) -> list[int]:
    return [int(row["id"]) for row in admin.ok(admin.get(f"/api/jobs?{query}"))]


def test_a_range_of_time_has_its_beginning_and_not_its_end_in_the_order_of_time(admin: Api, ended: list[int]) -> None:
    admin.a_job(admin.ok(admin.get("/api/processes"))[0])
    assert ids(admin, "finished_from=2026-11-20T09:00&finished_before=2026-11-20T12:00") == ended[1:4]
    assert ids(admin, "finished_from=2026-11-20T10:00:00%2B01:00") == ended[:4]
    assert ids(admin, "finished_before=2026-11-20T12:00&status=completed") == ended[1:]
    assert len(ids(admin, f"created_before={NOON:%Y-%m-%d}T00:00&created_from=2020-01-01T00:00")) == 0
    assert refused(admin.get("/api/jobs?finished_from=noon"), 422)


def test_the_links_follow_the_order_of_time(admin: Api, ended: list[int]) -> None:
    path, pages = "/api/jobs?finished_from=2026-11-01T00:00&page_size=2", []
    while path:
        answer = admin.get(path)
        pages.append([row["id"] for row in admin.ok(answer)])
        link = re.fullmatch(r'<http://localhost(.+)>; rel="next"', answer.headers.get("Link", "<http://localhost>"))
        path = link[1] if link else ""
    assert pages == [ended[:2], ended[2:4], ended[4:]]


def test_a_range_of_time_is_read_from_its_index(app: Flask, ended: list[int]) -> None:
    """Neither all rows are read, nor those of the range sorted."""
    known: Registry = app.extensions["bvo"]
    queries: tuple[tuple[str, str, str, dict[str, int]], ...] = (
        ("job", "finished", "ix_jobs_finished_at", {}),
        ("job", "created", "ix_jobs_created_at", {}),
        ("queue_item", "ended", "ix_queue_items_ended_at", {}),
        ("queue_item", "ended", "ix_queue_items_ended", {"queue_id": 1}),  # of few rows, the other one does as well
    )
    for name, stem, index, more in queries:
        entity = known.of(EntityType)[name]
        given = {f"{stem}_from": NOON, f"{stem}_before": NOON + timedelta(days=1)}
        arguments = {**given, **more, "page_size": 50}
        with app.app_context():
            connection = db.session.connection()
            if connection.dialect.name == "postgresql":
                for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):  # for few rows they are faster
                    connection.execute(text(f"SET {setting} = off"))
            with statements(connection) as sent:
                fetch_page(entity, arguments)
            counted, listed = (plan(connection, *one) for one in sent)
        for found in (counted, listed):
            assert index in found, found
        assert not re.search(r"SCAN (jobs|queue_items)\b|TEMP B-TREE FOR ORDER BY|^ *(->)? *Sort ", listed), listed


def test_troubles_are_a_filter(app: Flask, admin: Api) -> None:
    process, (robot, as_robot) = admin.a_process(), admin.a_robot()
    waits, of_robot, runs, fresh = (admin.a_job(process, **body)["id"] for body in ({}, {"robot_id": 1}, {}, {}))
    old = utcnow() - timedelta(hours=1)
    with app.app_context(), transaction() as session:
        session.execute(update(Job).where(Job.id.in_((waits, runs))).values(created_at=old))
        session.execute(update(Job).where(Job.id == runs).values(status="running", deadline_at=old, robot_id=1))
    assert ids(admin, "trouble=late") == [waits]
    assert ids(admin, "trouble=overdue") == [runs]
    assert ids(admin, "trouble=stranded") == [fresh, of_robot, waits], "no robot is online"
    as_robot.ok(as_robot.post("/api/runner/heartbeat", {}))
    assert ids(admin, "trouble=stranded") == []
    admin.ok(admin.post(f"/api/robots/{robot['id']}/drain"))
    admin.a_robot("robot-2")[1].post("/api/runner/heartbeat", {})
    assert ids(admin, "trouble=stranded") == [of_robot]
