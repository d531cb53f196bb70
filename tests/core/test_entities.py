"""One EntityType goes in; routes, permissions, audit and events come out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from bvo import registry
from bvo.database import db, transaction
from bvo.entities import Page, row_of
from bvo.event_log import LoggedEvent, event_of
from bvo_hookspecs import Event
from support.api import Api
from support.plugins import Site
from support.things import Part, Thing, ThingService, make_tables


@pytest.fixture
def app(site: Site, make_app: Callable[..., Flask]) -> Flask:
    """In place of the usual app: one with things."""
    site.declare("support.things", entry_point="things")
    app = make_app()
    with app.app_context():
        make_tables()
    return app


def thing(admin: Api, name: str = "cup", **values: Any) -> dict[str, Any]:
    made: dict[str, Any] = admin.ok(admin.post("/api/things", {"name": name, **values}))
    return made


def ids(answer: Any) -> list[int]:
    return [row["id"] for row in answer.get_json()]


def told(app: Flask) -> list[Event]:
    with app.app_context():
        of_things = select(LoggedEvent).where(LoggedEvent.entity_type == "thing")
        return [event_of(row) for row in db.session.scalars(of_things.order_by(LoggedEvent.id))]


def test_a_thing_is_created_read_changed_and_deleted(admin: Api) -> None:
    created = admin.post("/api/things", {"name": "cup", "colour": "blue"})
    assert created.status_code == 201
    url = f"/api/things/{created.get_json()['id']}"
    assert admin.ok(admin.get(url)) == created.get_json()
    changed = admin.ok(admin.put(url, {"colour": "green"}))
    assert (changed["name"], changed["colour"]) == ("cup", "green")
    assert admin.delete(url).status_code == 204
    assert admin.get(url).status_code == 404


def test_what_is_not_there_is_404_whatever_the_id(admin: Api) -> None:
    for row_id in ("0", "99", "2147483648", "99999999999999999999", "-1", "x"):
        url = f"/api/things/{row_id}"
        assert admin.get(url).status_code == 404, row_id
        changes = [admin.put(url, {"colour": "red"}), admin.delete(url), admin.post(f"{url}/paint")]
        assert {answer.status_code for answer in changes} <= {404, 405}, row_id  # 405: of an id out of range


def test_each_operation_needs_its_permission(admin: Api, user_with: Callable[..., Api]) -> None:
    made = thing(admin)
    calls: dict[str, Callable[[Api], Any]] = {
        "things:create": lambda api: api.post("/api/things", {"name": "new"}),
        "things:view": lambda api: api.get("/api/things"),
        "things:edit": lambda api: api.put(f"/api/things/{made['id']}", {"colour": "red"}),
        "things:delete": lambda api: api.delete(f"/api/things/{made['id']}"),
    }
    for permission, call in calls.items():
        refused = call(user_with(*(calls.keys() - {permission})))
        assert refused.status_code == 403
        assert permission in refused.get_json()["detail"]
    assert Api(admin.client).get("/api/things").status_code == 401


def test_the_scope_hides_the_things_of_others_in_every_operation(admin: Api, user_with: Callable[..., Api]) -> None:
    user = user_with("things:view", "things:edit", "things:delete")
    name = user.ok(user.get("/api/auth/me"))["user"]["username"]
    own, other = thing(admin, "own", owner=name), thing(admin, "other", owner="somebody")
    assert ids(user.get("/api/things")) == [own["id"]]
    assert user.get("/api/things").headers["X-Pagination"].startswith('{"total": 1,')
    hidden = f"/api/things/{other['id']}"
    answers = [user.get(hidden), user.put(hidden, {"name": "mine"}), user.delete(hidden), user.post(f"{hidden}/paint")]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert user.put(f"/api/things/{own['id']}", {"colour": "red"}).status_code == 200


def test_every_change_is_audited_and_told_with_secrets_masked(admin: Api, app: Flask) -> None:
    made = thing(admin, pin="canary-pin")
    url = f"/api/things/{made['id']}"
    admin.ok(admin.put(url, {"colour": "blue"}))
    admin.ok(admin.post(f"{url}/paint"))
    assert admin.delete(url).status_code == 204
    events = told(app)
    assert [event.type for event in events] == ["thing.created", "thing.updated", "thing.painted", "thing.deleted"]
    assert "canary-pin" not in repr(events)
    created, updated, _, deleted = events
    assert (updated.before, updated.after) == ({"colour": "grey"}, {**(created.after or {}), "colour": "blue"})
    assert (updated.after or {})["pin"] == "***"
    assert (created.before, deleted.before, deleted.after) == (None, {**made, "colour": "red", "pin": "***"}, None)
    audit = admin.ok(admin.get("/api/audit?entity_type=thing"))["items"]
    assert [row["action_type"] for row in reversed(audit)] == ["created", "modified", "status_changed", "deleted"]
    assert "canary-pin" not in json.dumps([admin.ok(admin.get(f"/api/audit/{row['id']}")) for row in audit])


def test_a_change_that_changes_nothing_tells_nobody(admin: Api, app: Flask) -> None:
    made = thing(admin, colour="blue")
    admin.ok(admin.put(f"/api/things/{made['id']}", {"colour": "blue"}))
    admin.ok(admin.put(f"/api/things/{made['id']}", {}))
    assert [event.type for event in told(app)] == ["thing.created"]


def test_a_taken_unique_value_is_a_conflict_that_names_it(admin: Api) -> None:
    thing(admin, "cup")
    other = thing(admin, "plate")
    for answer in (
        admin.post("/api/things", {"name": "cup"}),
        admin.put(f"/api/things/{other['id']}", {"name": "cup"}),
    ):
        assert answer.status_code == 409
        assert "'cup' already exists" in answer.get_json()["detail"]
    assert admin.put(f"/api/things/{other['id']}", {"name": "plate", "colour": "red"}).status_code == 200


def test_a_unique_value_that_is_taken_at_the_last_moment_is_a_conflict_too(
    admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    thing(admin, "cup")
    monkeypatch.setattr(ThingService, "check_unique", lambda *_: None)
    answer = admin.post("/api/things", {"name": "cup"})
    assert answer.status_code == 409
    assert "exists already" in answer.get_json()["detail"]


def test_what_is_still_used_stays(admin: Api, app: Flask) -> None:
    made = thing(admin)
    with app.app_context(), transaction() as session:
        session.add(Part(thing_id=made["id"]))
    answer = admin.delete(f"/api/things/{made['id']}")
    assert answer.status_code == 409
    assert "still used" in answer.get_json()["detail"]
    assert admin.get(f"/api/things/{made['id']}").status_code == 200
    assert [event.type for event in told(app)] == ["thing.created"]


def test_wrong_fields_are_told_by_name(admin: Api) -> None:
    answer = admin.post("/api/things", {"name": "", "size": 3})
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    problem = answer.get_json()
    assert set(problem["errors"]) == {"name", "size"}
    assert "name: " in problem["detail"]


def test_an_action_runs_the_services_method_with_its_permission(admin: Api, user_with: Callable[..., Api]) -> None:
    made = thing(admin)
    assert admin.ok(admin.post(f"/api/things/{made['id']}/paint"))["colour"] == "red"
    refused = user_with("things:view").post(f"/api/things/{made['id']}/paint")
    assert "things:edit" in refused.get_json()["detail"]
    assert admin.post(f"/api/things/{made['id']}/burn").status_code == 404


def test_a_service_without_changes_gives_no_routes_for_them(admin: Api) -> None:
    assert admin.post("/api/thing-parts", {}).status_code == 405
    assert admin.put("/api/thing-parts/1", {}).status_code == 405
    assert admin.delete("/api/thing-parts/1").status_code == 405
    assert admin.get("/api/thing-parts/1").status_code == 404


def test_a_view_of_its_own_takes_the_place_of_one_operation_with_its_access(
    admin: Api, user_with: Callable[..., Api]
) -> None:
    assert admin.ok(admin.get("/api/thing-parts")) == {"parts": "none of your business"}
    assert user_with("things:view").get("/api/thing-parts").status_code == 403


def test_lists_are_filtered(admin: Api) -> None:
    thing(admin, "blue cup", done=True)
    thing(admin, "red cup", colour="white")
    thing(admin, "100% _wool")
    thing(admin, "plate", colour="red")
    for query, found in {
        "search=CUP": ["blue cup", "red cup"],
        "search=red": ["plate", "red cup"],
        "search=100%25": ["100% _wool"],
        "search=_": ["100% _wool"],
        "search='; DROP TABLE things; --": [],
        "colour=red": ["plate"],
        "colour=re": [],
        "done=true": ["blue cup"],
        "done=false": ["100% _wool", "blue cup", "plate", "red cup"],
        "search=cup&done=true": ["blue cup"],
        "unknown=1&search=plate": ["plate"],
    }.items():
        rows = admin.ok(admin.get(f"/api/things?{query}"))
        assert sorted(row["name"] for row in rows) == found, query


def test_pages_are_newest_first_and_told_in_the_header(admin: Api) -> None:
    made = [thing(admin, f"thing {number}")["id"] for number in range(5)][::-1]
    first = admin.get("/api/things?page_size=2")
    assert ids(first) == made[:2]
    assert json.loads(first.headers["X-Pagination"]) == {"total": 5, "total_pages": 3, "page": 1, "page_size": 2}
    assert ids(admin.get("/api/things?page_size=2&page=3")) == made[4:]
    assert ids(admin.get("/api/things?page_size=2&page=4")) == []


def test_the_link_leads_through_the_whole_list_and_keeps_the_filters(admin: Api) -> None:
    made = [thing(admin, f"thing {number}", colour="blue")["id"] for number in range(5)][::-1]
    thing(admin, "other")
    url, seen = "/api/things?page_size=2&colour=blue", []
    while url:
        page = admin.get(url)
        seen.append(ids(page))
        thing(admin, f"meanwhile {len(seen)}", colour="blue")  # shifts numbered pages, not these
        link = page.headers.get("Link", "")
        assert not link or link.endswith('>; rel="next"')
        url = link.partition(">")[0].removeprefix("<http://localhost")
    assert seen == [made[:2], made[2:4], made[4:]]


def test_a_list_without_a_size_has_fifty_rows(admin: Api, app: Flask) -> None:
    with app.app_context(), transaction() as session:
        session.add_all(Thing(name=f"thing {number}") for number in range(51))
    page = admin.get("/api/things")
    assert len(page.get_json()) == 50
    assert "after=" in page.headers["Link"]


def test_paging_out_of_bounds_is_refused_with_the_name(admin: Api) -> None:
    bounds = ("page_size=0", "page_size=201", "page=0", "page=100001", "page=x", "after=-1", f"after={10**30}")
    for query in (*bounds, "done=perhaps"):
        answer = admin.get(f"/api/things?{query}")
        assert answer.status_code == 422, query
        assert query.partition("=")[0] in answer.get_json()["errors"]


def test_text_that_not_every_database_can_hold_is_refused(admin: Api) -> None:
    for text in ("nul \0 byte", "half a pair \ud800"):
        answer = admin.post("/api/things", {"name": text})
        assert answer.status_code == 422
        assert "name" in answer.get_json()["errors"]
    assert admin.get("/api/things?search=%00").status_code == 422


def test_a_large_table_is_counted_up_to_a_bound(admin: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from bvo.entities import query

    monkeypatch.setattr(query, "MAX_COUNT", 2)
    for number in range(4):
        thing(admin, f"thing {number}")
    assert json.loads(admin.get("/api/things").headers["X-Pagination"])["total"] == 3


def test_an_empty_list_has_one_page() -> None:
    assert Page([], 1, 50, 0, None).pages == 1


def test_plugins_find_the_service_of_another_one(app: Flask) -> None:
    with app.app_context():
        assert registry.current().service(ThingService).create({"name": "by code"}).id
    assert told(app)[0].actor_kind == "system"


def test_the_documentation_names_every_operation_of_the_type(app: Flask) -> None:
    paths = app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec.to_dict()["paths"]
    assert set(paths["/api/things/{row_id}"]) >= {"get", "put", "delete"}
    assert paths["/api/things/{row_id}/paint"]["post"]["summary"] == "Paint (one thing)"
    parameters = {p["name"] for p in paths["/api/things"]["get"]["parameters"] if "name" in p}
    assert {"search", "colour", "done", "page", "page_size", "after"} <= parameters


@pytest.mark.parametrize(
    ("subject", "row"),
    [
        ("robot/3", ("robot", 3)),
        ("robot/2147483647", ("robot", 2**31 - 1)),
        ("robot/2147483648", ("robot", None)),
        ("wall/tower", ("wall", None)),
        ("roof", ("roof", None)),
    ],
)
def test_a_subject_names_a_row_where_it_can(subject: str, row: tuple[str, int | None]) -> None:
    assert row_of(subject) == row
