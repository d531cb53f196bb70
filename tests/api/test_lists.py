"""Lists: paged, filtered, bounded, and the same with a slash behind."""

from __future__ import annotations

import json
import re

import pytest

from support.api import Api
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
    for text, found in (("50%25_OFF", ["50%_off"]), ("%25", ["50%_off"]), ("_", ["50%_off"]), ("STR", ["Straße"])):
        assert [row["name"] for row in admin.ok(admin.get(f"/api/machines?search={text}"))] == found
