"""The audit log's list: whatever the filters, every event that fits is found, and no answer reads the whole log."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import Connection, delete, insert, text

from bvo.database import db, transaction
from bvo.entities import MAX_COUNT, fetch_page, query_schema
from bvo.event_log import LoggedEvent
from bvo_audit import query
from bvo_audit.entities import AUDIT_EVENT
from support.api import Api
from support.plans import plan, statements
from support.problems import refused

START = datetime(2026, 1, 1, tzinfo=UTC)
EXACT = {"user": "actor_username", "username": "actor_username", "user_id": "actor_user_id"}


def fill(app: Flask, count: int, different: int = 3) -> list[dict[str, Any]]:
    """Events whose order is not that of their ids: clocks differ, and several happen at one time.

    There are `different` users, types, actions and things.
    """
    draw = random.Random(count)
    rows = [_row(draw, number, different) for number in range(1, count + 1)]
    with app.app_context(), transaction() as session:
        session.execute(delete(LoggedEvent))
        session.execute(insert(LoggedEvent), rows)
    return sorted(rows, key=lambda row: (row["timestamp"], row["id"]), reverse=True)


def _row(draw: random.Random, number: int, different: int) -> dict[str, Any]:
    user, kind, verb = (draw.randrange(different) for _ in range(3))
    entity_type = ("job", "robot", "asset")[kind] if kind < 3 else f"type_{kind}"
    done, action_type = (("create", "created"), ("update", "modified"), ("delete", "deleted"))[verb % 3]
    return {
        "id": number,
        "event_id": f"event-{number}",
        "type": f"{entity_type}.{action_type}",
        "timestamp": START + timedelta(minutes=number // 3 + draw.choice((0, 0, 0, -9))),
        "actor_kind": "user",
        "actor_user_id": user,
        "actor_username": f"user-{user}",
        "action": f"{entity_type}.{done}",
        "action_type": action_type if verb < 3 else f"type_{verb}",
        "entity_type": entity_type,
        "entity_display": entity_type.title(),
        "entity_id": str(draw.randrange(different)),
        "entity_name": f"thing {number}",
        "message": f"{draw.choice(('Red', 'Green', 'Blue'))} thing",
    }


def fits(row: dict[str, Any], name: str, value: Any) -> bool:
    if name in ("search", "q"):
        return value.lower() in f"{row['message']}\n{row['entity_name']}\n{row['actor_username']}".lower()
    if name in ("from", "from_time", "to", "to_time"):
        limit = datetime.fromisoformat(value)
        return bool(row["timestamp"] >= limit if name.startswith("from") else row["timestamp"] <= limit)
    return bool(row[EXACT.get(name, name)] == value)


def follow(admin: Api, filters: dict[str, Any], page_size: int) -> Iterator[list[int]]:
    """The ids on each page, by following the Link headers."""
    path = f"/api/audit?{urlencode({**filters, 'page_size': page_size})}"
    while path:
        answer = admin.get(path)
        yield [row["id"] for row in admin.ok(answer)["items"]]
        link = re.fullmatch(r'<http://localhost(.+)>; rel="next"', answer.headers.get("Link", ""))
        path = link[1] if link else ""


FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"from_time": "2026-01-01T00:10:00+00:00"},
    {"from": "2026-01-01T00:05:00Z", "to": "2026-01-01T00:15:00Z"},
    {"to_time": "2025-12-31T23:59:59"},
    {"user": "user-1"},
    {"username": "user-2", "user_id": 2},
    {"user": "user-1", "username": "user-2"},
    {"user_id": 2, "to_time": "2026-01-01T00:10:00"},
    {"action": "job.update"},
    {"action_type": "deleted", "from_time": "2026-01-01T00:05:00"},
    {"entity_type": "job"},
    {"entity_type": "job", "entity_id": "2"},
    {"entity_id": "2"},
    {"user": "user-1", "action_type": "created", "entity_type": "job"},
    {"user": "user-1", "entity_type": "job", "entity_id": "1", "to": "2026-01-01T00:15:00"},
    {"action": "job.update", "entity_type": "robot"},
    {"user": "nobody", "search": "thing"},
    {"search": "RED"},
    {"q": "thing 7", "search": "thing"},
    {"search": "nothing like it"},
    {"search": "blue", "user_id": 1, "action_type": "modified", "from": "2026-01-01T00:03:00"},
)


@pytest.mark.parametrize("looked_through", [7, query.LOOKED_THROUGH])
def test_following_the_links_finds_every_event_that_fits_once_and_in_the_order_of_time(
    app: Flask, admin: Api, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests, looked_through: int
) -> None:
    monkeypatch.setattr(query, "LOOKED_THROUGH", looked_through)
    rows = fill(app, 80)
    for filters in FILTERS:
        with subtests.test(str(filters)):
            expected = [row["id"] for row in rows if all(fits(row, *given) for given in _with_zones(filters))]
            pages = list(follow(admin, filters, 9))
            assert [number for page in pages for number in page] == expected
            if looked_through > len(rows):
                assert all(len(page) == 9 for page in pages[:-1])


def _with_zones(filters: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, f"{value}Z" if re.search(r"T[\d:]+$", str(value)) else value) for name, value in filters.items()]


def test_an_answer_that_did_not_look_through_everything_says_how_far_it_got(
    app: Flask, admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "LOOKED_THROUGH", 30)
    rows = fill(app, 80)
    answer = admin.get("/api/audit?search=red&page_size=200")
    page = admin.ok(answer)
    assert datetime.fromisoformat(page["searched_to"]) == rows[29]["timestamp"]
    assert page["total"] == len(page["items"]) == sum("Red" in row["message"] for row in rows[:30])
    assert f"after={rows[29]['id']}" in answer.headers["Link"]
    narrowed = admin.ok(admin.get("/api/audit?search=red&from_time=2026-01-01T00:20:00"))
    assert (narrowed["searched_to"], narrowed["total"] > 0) == (None, True)
    assert admin.ok(admin.get("/api/audit?action_type=created"))["searched_to"] is None


def test_pages_by_number_and_by_cursor_are_the_same(app: Flask, admin: Api) -> None:
    rows = fill(app, 30)
    for query_string in ("", "&search=thing"):
        answer = admin.get(f"/api/audit?page=2&page_size=10{query_string}")
        page = admin.ok(answer)
        assert [row["id"] for row in page["items"]] == [row["id"] for row in rows[10:20]]
        assert (page["total"], page["page"], page["page_size"]) == (30, 2, 10)
        assert '"total_pages": 3' in answer.headers["X-Pagination"]
        following = admin.ok(admin.get(f"/api/audit?page_size=10&after={rows[9]['id']}{query_string}"))
        assert following["items"] == page["items"]
        assert admin.ok(admin.get(f"/api/audit?page=4&page_size=10{query_string}"))["items"] == []


def test_a_cursor_goes_on_where_its_event_is_gone(app: Flask, admin: Api) -> None:
    rows = fill(app, 30)
    gone = rows[9]["id"]
    with app.app_context(), transaction() as session:
        session.execute(delete(LoggedEvent).where(LoggedEvent.id == gone))
    following = admin.ok(admin.get(f"/api/audit?after={gone}"))["items"]
    assert following[0]["id"] == max(row["id"] for row in rows if row["id"] < gone)
    assert admin.ok(admin.get("/api/audit?after=0"))["items"] == []


def test_pages_end_where_counting_ends(admin: Api) -> None:
    last = MAX_COUNT // 50 + 1
    for path in ("/api/audit?", "/api/audit?search=x&", "/api/jobs?"):
        admin.ok(admin.get(f"{path}page={last}"))
        assert list(refused(admin.get(f"{path}page={last + 1}"), 422, "Link header")["errors"]) == ["page"]
        admin.ok(admin.get(f"{path}page={last + 1}&after=5"))


# --- plans


INDEXES: dict[str, tuple[dict[str, Any], ...]] = {
    "time": ({}, {"from_time": "2026-01-01", "to_time": "2026-01-02"}, {"search": "thing"}, {"after": 4000}),
    "username": ({"user": "user-2"}, {"username": "user-2", "to_time": "2026-01-02"}, {"user": "user-2", "q": "x"}),
    "user_id": ({"user_id": 2}, {"user_id": 2, "after": 4000}, {"user_id": 2, "from": "2026-01-01"}),
    "action": ({"action": "job.create"}, {"action": "job.create", "from": "2026-01-01", "after": 4000}),
    "action_type": ({"action_type": "created"}, {"action_type": "created", "to": "2026-01-02"}),
    "entity_type": ({"entity_type": "asset"}, {"entity_type": "asset", "search": "x"}),
    "entity_id": ({"entity_type": "asset", "entity_id": "3"}, {"entity_id": "3"}, {"entity_id": "3", "user": "user-1"}),
}


def test_every_filter_is_answered_from_an_index(app: Flask, subtests: pytest.Subtests) -> None:
    fill(app, 5000, different=100)
    with app.app_context():
        connection = db.session.connection()
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE events"))
            for setting in ("enable_seqscan", "enable_bitmapscan"):  # for few rows they are faster
                connection.execute(text(f"SET {setting} = off"))
        for index, cases in INDEXES.items():
            for filters in cases:
                with subtests.test(str(filters)):
                    _check_plans(connection, f"ix_events_{index}", filters)


def _check_plans(connection: Connection, index: str, filters: dict[str, Any]) -> None:
    arguments = query_schema(AUDIT_EVENT).load({name: _date(value) for name, value in filters.items()})
    with statements(connection) as sent:
        fetch_page(AUDIT_EVENT, arguments)
    plans = [plan(connection, *one) for one in sent]
    assert any(re.search(rf"{index}\b", one) for one in plans), plans
    for one in plans:
        assert "Seq Scan" not in one
        assert not re.search(r"SCAN events(?! USING)", one)


def _date(value: Any) -> Any:
    return f"{value}T00:00:00Z" if re.fullmatch(r"[\d-]{10}", str(value)) else value
