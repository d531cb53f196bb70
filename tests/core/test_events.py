"""Events: what committed is in the log, and nothing that rolled back is."""

from __future__ import annotations

import uuid
from datetime import UTC

import pytest
from flask import Flask
from sqlalchemy import select

from bvo import event_log, events, registry
from bvo.access import SYSTEM
from bvo.database import db, transaction
from bvo.settings import StoredSetting
from bvo_hookspecs import Event
from support.api import Api
from support.walls import happen, logged


def test_a_signal_is_sent_after_the_commit_in_the_process_that_made_the_change(app_context: Flask) -> None:
    heard: list[tuple[object, Event, int]] = []

    def hear(sender: object, event: Event) -> None:
        heard.append((sender, event, len(logged())))

    with events.committed.connected_to(hear):
        with transaction():
            event = happen()
            assert heard == []
        assert heard == [(registry.current(), event, 1)]


def test_a_receiver_that_fails_neither_fails_the_change_nor_the_next_receiver(
    app_context: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []

    def fails(sender: object, event: Event) -> None:
        raise ConnectionError("no route")

    def hears(sender: object, event: Event) -> None:
        heard.append(event)

    with events.committed.connected_to(fails), events.committed.connected_to(hears):
        event = happen()
    assert heard == [event]
    assert "no route" in caplog.text
    assert "wall.built" in caplog.text


def test_an_event_is_written_with_the_change_or_neither_is(app_context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(event_log, "row", full)
    with pytest.raises(OSError, match="disk full"), transaction() as session:
        session.add(StoredSetting(group="house", name="colour", value="red"))
        happen()
    assert db.session.scalars(select(StoredSetting)).all() == logged() == []


def test_an_event_that_is_rolled_back_is_told_to_nobody(app_context: Flask) -> None:
    heard: list[Event] = []

    def hear(sender: object, event: Event) -> None:
        heard.append(event)

    with events.committed.connected_to(hear), pytest.raises(ZeroDivisionError), transaction():
        happen()
        raise ZeroDivisionError
    assert heard == logged() == []


def test_an_event_is_read_from_the_log_as_it_was_recorded(app_context: Flask) -> None:
    event = happen(before={"height": 1}, after={"height": 2, "colour": "red"}, metadata={"by": "hand"})
    assert logged() == [event]
    assert event.occurred_at.tzinfo is UTC


def test_of_a_change_an_event_keeps_what_was_before_only_where_it_changed(app_context: Flask) -> None:
    old, new = {"height": 1, "colour": "red", "gone": None}, {"height": 2, "colour": "red", "new": None}
    assert happen(before=old, after=new).before == {"height": 1, "gone": None}
    assert happen(before=old, after=old).before == {}
    assert happen(before=old).before == old
    assert happen(after=new).before is None


def test_an_event_tells_who_did_it_from_where(admin: Api) -> None:
    admin.ok(admin.post("/api/robots", {"name": "robby"}, headers={"User-Agent": "curl/8"}))
    with admin.client.application.app_context():
        event = logged()[-1]
    assert (event.actor_kind, event.actor_name) == ("user", "admin")
    assert (event.ip_address, event.user_agent) == ("127.0.0.1", "curl/8")
    assert "admin" in event.message


def test_an_event_of_the_system_has_no_address(app_context: Flask) -> None:
    event = happen()
    assert (event.actor_kind, event.actor_id, event.ip_address) == (SYSTEM.kind, None, None)
    assert uuid.UUID(event.id).version == 7
