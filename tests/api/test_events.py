"""`GET /api/events`: whoever reads the log from a place on misses nothing, and gets nothing twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from bvo import registry
from bvo.database import db, transaction
from bvo.event_log import LoggedEvent
from bvo_events import service
from bvo_events.cloud_events import MAX_BYTES, size
from bvo_machines.service import MachineService
from support.api import Api
from support.problems import refused
from support.walls import happen


def pull(api: Api, after: str = "0", **query: Any) -> dict[str, Any]:
    arguments = "&".join(f"{name}={value}" for name, value in {"after": after, **query}.items())
    answer: dict[str, Any] = api.ok(api.get(f"/api/events?{arguments}"))
    return answer


def follow(api: Api, after: str = "0", **query: Any) -> list[dict[str, Any]]:
    """Everything from there to the end."""
    found: list[dict[str, Any]] = []
    more = True
    while more:
        answer = pull(api, after, **query)
        found, after, more = found + answer["events"], answer["next"], answer["more"]
    return found


def test_an_event_has_the_structure_of_cloudevents(admin: Api) -> None:
    admin.ok(admin.put("/api/settings/general", {"public_url": "https://bvo.example.com/"}))
    robot, _ = admin.a_robot("robot-1")
    admin.ok(admin.put(f"/api/robots/{robot['id']}", {"name": "renamed"}))
    assert admin.delete(f"/api/robots/{robot['id']}").status_code == 204
    created, updated, deleted = told = follow(admin, types="robot.*")
    assert [event["type"] for event in told] == [
        "robot.created",
        "robot.updated",
        "robot.deleted",
    ]
    fixed = {"specversion": "1.0", "source": "https://bvo.example.com", "datacontenttype": "application/json"}
    assert fixed.items() <= updated.items()
    assert (updated["subject"], updated["time"][-1]) == (f"robot/{robot['id']}", "Z")
    data = updated["data"]
    assert (data["entity"]["name"], data["previous"]["name"]) == ("renamed", "robot-1")
    assert data["actor"] == {"kind": "user", "id": 1, "name": "admin"}
    assert (created["data"]["previous"], created["data"]["entity"]["name"]) == (None, "robot-1")
    assert (deleted["data"]["previous"], deleted["data"]["entity"]["name"]) == (None, "renamed")
    assert created["id"] < updated["id"] < deleted["id"]
    assert "bvor_" not in json.dumps([created, updated, deleted])


def test_every_event_comes_once_and_in_order_while_others_write(
    app: Flask, admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LOOK", 7)
    begun = pull(admin, "latest")
    assert begun["events"] == []

    def write(number: int) -> None:
        with app.app_context():
            for turn in range(15):
                with transaction():
                    registry.current().service(MachineService).create({"name": f"{number}-{turn}", "mode": "agent"})
                    happen(f"{number}-{turn}")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    found, after = [], begun["next"]
    while any(writer.is_alive() for writer in writers):
        answer = pull(admin, after, page_size=3)
        found, after = found + answer["events"], answer["next"]
    found += follow(admin, after, page_size=3)
    with app.app_context():
        logged = db.session.scalars(select(LoggedEvent.event_id).order_by(LoggedEvent.id)).all()
    assert [event["id"] for event in found] == logged[-120:]
    assert len(found) == 120


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        ("", {"machine.created", "wall.built", "wall.painted"}),
        ("*", {"machine.created", "wall.built", "wall.painted"}),
        ("wall.*", {"wall.built", "wall.painted"}),
        ("wall.painted,machine.created", {"wall.painted", "machine.created"}),
        ("fence.*", set()),
    ],
)
def test_only_the_wanted_types_come_and_the_place_moves_on_without_them(
    app_context: Flask, admin: Api, types: str, wanted: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LOOK", 2)
    for number in range(3):
        admin.ok(admin.post("/api/machines", {"name": f"HOST-{number}"}))
        happen()
        happen(type="wall.painted")
    found = follow(admin, types=types, page_size=2)
    assert {event["type"] for event in found} == wanted
    assert len(found) == 3 * len(wanted)
    end = pull(admin, "latest")["next"]
    assert pull(admin, end, types=types) == {"events": [], "next": end, "more": False}


def test_a_large_event_leaves_out_what_takes_the_most_and_says_so(app_context: Flask, admin: Api) -> None:
    big, text = {"rows": ["é" * 100] * 200}, "y" * 9_000
    happen(
        before={"result": None, "note": text}, after={"result": big, "note": "short", "text": text}, metadata={"x": 1}
    )
    (event,) = follow(admin, types="wall.*")
    assert size(event) <= MAX_BYTES
    assert event["data"]["omitted"] == ["entity.result"]
    assert event["data"]["entity"] == {"note": "short", "text": text}
    assert event["data"]["previous"] == {"result": None, "note": text}
    with db.session.begin_nested():
        assert db.session.scalar(select(LoggedEvent.after_data))["result"] == big


def test_who_may_not_read_the_log_gets_nothing(user_with: Callable[..., Api], anonymous: Api) -> None:
    refused(user_with().get("/api/events"), 403, "events:view")
    refused(anonymous.get("/api/events"), 401)
    assert pull(user_with("events:view"))["more"] is False


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("after=-1", "next"),
        ("after=now", "latest"),
        ("after=1%27", "latest"),
        ("types=job", "job.*"),
        ("types=job.*,,robot.*", "job.*"),
        ("types=job.*;DROP", "job.*"),
        ("page_size=0", "page_size"),
        ("page_size=201", "page_size"),
    ],
)
def test_bad_questions_are_refused(admin: Api, query: str, words: str) -> None:
    refused(admin.get(f"/api/events?{query}"), 422, words)


def test_a_place_beyond_the_end_stays_where_it_is(admin: Api) -> None:
    assert pull(admin, "999999999999999999") == {"events": [], "next": "999999999999999999", "more": False}


def test_what_was_rolled_back_is_not_told(app_context: Flask, admin: Api) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        happen()
        raise ZeroDivisionError
    assert follow(admin, types="wall.*") == []
