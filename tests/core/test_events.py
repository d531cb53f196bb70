"""Events: nothing that committed is lost, nothing that rolled back is told."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text, update

from bvo import events, outbox, registry
from bvo.access import SYSTEM
from bvo.database import db, transaction, utcnow
from bvo.observers import Observers
from bvo.outbox import OutboxEvent
from bvo.worker import Worker
from bvo_audit.models import AuditEvent
from bvo_hookspecs import AuditSink, Event, WebhookEmitter
from support.api import Api
from support.plugins import Site


def happen(name: str = "tower", **fields: Any) -> Event:
    return events.record(
        **{"type": "wall.built", "action": "wall.build", "action_type": "created", "entity_type": "wall"}
        | {"entity_label": "Wall", "entity_id": "1", "entity_name": name, "message": f"Built {name}."}
        | fields
    )


def deliver(observers: Observers | None = None) -> int:
    return outbox.dispatch(observers or Observers())


def make_due() -> None:
    """Let the time pass until everything that waits is due again."""
    with transaction() as session:
        session.execute(update(OutboxEvent).values(available_at=utcnow()))


def in_outbox() -> list[OutboxEvent]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(select(OutboxEvent).order_by(OutboxEvent.id)))


class Emitter:
    """Remembers what it was given; fails as often as it was told to."""

    def __init__(self, *types: str) -> None:
        self.got: list[Event] = []
        self.attempts = 0
        self.failures = 0
        self.accepts = lambda event_type: not types or event_type in types

    def deliver(self, event: Event) -> None:
        self.attempts += 1
        if self.failures:
            self.failures -= 1
            raise ConnectionError("receiver is down")
        self.got.append(event)

    @property
    def names(self) -> list[str]:
        return [event.entity_name for event in self.got]


@pytest.fixture
def good() -> Emitter:
    return Emitter()


@pytest.fixture
def bad() -> Emitter:
    return Emitter()


@pytest.fixture
def emitting(site: Site, make_app: Callable[..., Flask], good: Emitter, bad: Emitter) -> Iterator[Flask]:
    """An app whose events go to a bad emitter and a good one, inside its context."""
    site.plug(
        "emitters",
        webhook_emitters=[
            WebhookEmitter(name="bad", deliver=bad.deliver, accepts=bad.accepts),
            WebhookEmitter(name="good", deliver=good.deliver, accepts=good.accepts),
        ],
    )
    app = make_app()
    with app.app_context():
        yield app


def test_an_event_reaches_the_emitters_as_it_was_recorded_and_once(emitting: Flask, good: Emitter) -> None:
    event = happen(before={"height": 1}, after={"height": 2}, metadata={"by": "hand"})
    assert good.got == []
    assert deliver() == 1
    assert good.got == [event]
    assert event.occurred_at.tzinfo is UTC
    assert deliver() == 0


def test_an_event_of_a_change_that_was_rolled_back_is_told_to_nobody(emitting: Flask, good: Emitter) -> None:
    heard: list[Event] = []

    def hear(sender: object, event: Event) -> None:
        heard.append(event)

    with (
        events.committed.connected_to(hear),
        pytest.raises(ZeroDivisionError),
        transaction(),
    ):
        happen()
        raise ZeroDivisionError
    assert deliver() == 0
    assert good.got == heard == in_outbox() == []
    assert list(db.session.scalars(select(AuditEvent))) == []


def test_events_arrive_in_the_order_in_which_they_happened(emitting: Flask, good: Emitter) -> None:
    made = [happen(f"wall {number}") for number in range(5)]
    deliver()
    assert good.got == made
    assert sorted(made, key=lambda event: event.id[:13]) == made


def test_an_emitter_gets_only_what_it_accepts(site: Site, make_app: Callable[..., Flask]) -> None:
    choosy = Emitter("wall.painted")
    site.plug("choosy", webhook_emitters=[WebhookEmitter(name="c", deliver=choosy.deliver, accepts=choosy.accepts)])
    with make_app().app_context():
        happen()
        happen("painted", type="wall.painted")
        assert deliver() == 2
        assert choosy.names == ["painted"]


def test_a_failing_emitter_gets_the_event_again_later_and_the_others_get_it_once(
    emitting: Flask, good: Emitter, bad: Emitter
) -> None:
    bad.failures = 2
    happen()
    assert deliver() == 1
    (row,) = in_outbox()
    assert (good.names, bad.got, row.pending, row.attempt) == (["tower"], [], ["emitter:bad"], 1)
    assert row.last_error == "emitter:bad of the plugin emitters: ConnectionError: receiver is down"
    assert row.available_at > utcnow() + timedelta(seconds=0.5)
    assert deliver() == 0

    make_due()
    deliver()
    (row,) = in_outbox()
    assert row.available_at > utcnow() + timedelta(seconds=2)
    make_due()
    deliver()
    (row,) = in_outbox()
    assert (good.names, bad.names, row.pending) == (["tower"], ["tower"], [])
    assert row.delivered_at is not None


def test_an_emitter_that_fails_five_times_in_a_row_is_left_alone_and_loses_nothing(
    emitting: Flask, good: Emitter, bad: Emitter
) -> None:
    bad.failures, observers = 5, Observers()
    for number in range(8):
        happen(f"wall {number}")
    deliver(observers)
    assert bad.attempts == 5
    assert len(good.got) == 8
    assert {tuple(row.pending or ()) for row in in_outbox()} == {("emitter:bad",)}
    make_due()
    deliver(Observers())
    assert len(bad.got) == 8


def test_an_emitter_that_can_not_say_what_it_accepts_gets_the_event_later(
    site: Site, make_app: Callable[..., Flask], good: Emitter
) -> None:
    answers = iter([ZeroDivisionError, True])

    def accepts(event_type: str) -> bool:
        answer = next(answers)
        if answer is ZeroDivisionError:
            raise answer
        return bool(answer)

    site.plug("choosy", webhook_emitters=[WebhookEmitter(name="c", deliver=good.deliver, accepts=accepts)])
    with make_app().app_context():
        happen()
        deliver()
        make_due()
        deliver()
    assert good.names == ["tower"]


def test_an_emitter_that_breaks_its_session_harms_no_other(site: Site, make_app: Callable[..., Flask]) -> None:
    counted: list[int] = []

    def breaks(event: Event) -> None:
        db.session.execute(text("SELECT nothing FROM nowhere"))

    def counts(event: Event) -> None:
        counted.append(len(list(db.session.scalars(select(OutboxEvent.id)))))

    site.plug(
        "emitters",
        webhook_emitters=[WebhookEmitter(name="a", deliver=breaks), WebhookEmitter(name="b", deliver=counts)],
    )
    with make_app().app_context():
        happen()
        deliver()
    assert counted == [1]


def test_a_row_whose_emitter_is_gone_is_done(site: Site, make_app: Callable[..., Flask], bad: Emitter) -> None:
    bad.failures = 1
    site.plug("emitters", webhook_emitters=[WebhookEmitter(name="bad", deliver=bad.deliver)])
    with make_app().app_context():
        happen()
        deliver()
    with make_app(BVO_DISABLED_PLUGINS="emitters").app_context():
        make_due()
        deliver()
        (row,) = in_outbox()
        assert row.delivered_at is not None


def test_two_workers_share_the_events_and_none_takes_one_twice(emitting: Flask, good: Emitter) -> None:
    for number in range(10):
        happen(f"wall {number}")
    workers = [Worker(emitting), Worker(emitting)]
    while sum(worker.step() for worker in workers):
        pass
    assert sorted(good.names) == [f"wall {number}" for number in range(10)]


def test_an_event_whose_worker_died_is_delivered_by_another_after_its_lease(emitting: Flask, good: Emitter) -> None:
    happen()
    with transaction() as session:
        session.execute(
            update(OutboxEvent).values(lease_hash="of the dead", lease_expires_at=utcnow() + timedelta(seconds=60))
        )
    assert deliver() == 0
    with transaction() as session:
        session.execute(update(OutboxEvent).values(lease_expires_at=utcnow() - timedelta(seconds=1)))
    assert deliver() == 1
    assert good.names == ["tower"]


def test_an_event_that_this_version_can_not_read_is_set_aside_and_holds_up_no_other(
    emitting: Flask, good: Emitter
) -> None:
    with transaction() as session:
        session.add(OutboxEvent(event={"type": "of another version"}))
    happen("behind it")
    deliver()
    assert good.got[-1].entity_name == "behind it"
    unreadable = next(row for row in in_outbox() if row.event == {"type": "of another version"})
    assert "unreadable" in (unreadable.last_error or "")


def test_an_external_sink_gets_every_event_and_is_tried_again(site: Site, make_app: Callable[..., Flask]) -> None:
    sink = Emitter()
    sink.failures = 1
    site.plug("sinks", audit_sinks=[AuditSink(name="file", write=sink.deliver)])
    with make_app().app_context():
        happen()
        deliver()
        make_due()
        deliver()
    assert sink.names == ["tower"]


def test_what_was_delivered_is_removed_after_a_week(emitting: Flask) -> None:
    for name in ("old", "new", "waiting"):
        happen(name)
    deliver()
    waiting = in_outbox()[2].id
    with transaction() as session:
        rows = update(OutboxEvent)
        session.execute(rows.values(delivered_at=utcnow() - timedelta(days=8)))
        session.execute(rows.where(OutboxEvent.id == waiting - 1).values(delivered_at=utcnow() - timedelta(days=6)))
        session.execute(rows.where(OutboxEvent.id == waiting).values(delivered_at=None))
    outbox.prune()
    assert [row.event["entity_name"] for row in in_outbox()] == ["new", "waiting"]


def test_a_signal_is_sent_after_the_commit_in_the_process_that_made_the_change(app_context: Flask) -> None:
    heard: list[tuple[object, Event, int]] = []

    def hear(sender: object, event: Event) -> None:
        heard.append((sender, event, len(in_outbox())))

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


def test_the_audit_row_and_the_outbox_row_are_written_with_the_change_or_not_at_all(
    app_context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(outbox, "add", full)
    with pytest.raises(OSError, match="disk full"):
        happen()
    assert list(db.session.scalars(select(AuditEvent))) == []


def test_an_event_tells_who_did_it_from_where(admin: Api) -> None:
    admin.ok(admin.post("/api/robots", {"name": "robby"}, headers={"User-Agent": "curl/8"}))
    with admin.client.application.app_context():
        event = in_outbox()[-1].event
    assert (event["actor_kind"], event["actor_name"]) == ("user", "admin")
    assert (event["ip_address"], event["user_agent"]) == ("127.0.0.1", "curl/8")
    assert "admin" in event["message"]


def test_an_event_of_the_system_has_no_address(app_context: Flask) -> None:
    event = happen()
    assert (event.actor_kind, event.actor_id, event.ip_address) == (SYSTEM.kind, None, None)
    assert uuid.UUID(event.id).version == 7
