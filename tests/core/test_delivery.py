"""Delivery: every event reaches all who want it, in order, whoever fails or dies meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy import event as sql_events

from bvo import consumers, delivery, event_log, migrations
from bvo.consumers import EventConsumer, HeldEvents
from bvo.database import db, transaction, utcnow
from bvo.event_log import Horizon, LoggedEvent
from bvo.observers import Observers
from bvo.worker import Worker
from bvo_hookspecs import AuditSink, Event, WebhookEmitter
from support.plugins import Site
from support.walls import happen, logged, make_due


class Emitter:
    """Remembers what it was given; fails as often as it was told to."""

    def __init__(self, *types: str) -> None:
        self.got: list[Event] = []
        self.attempts = 0
        self.failures = 0
        self.accepts = lambda event_type: event_type in types if types else event_type.startswith("wall.")

    def deliver(self, events: Sequence[Event]) -> None:
        self.attempts += 1
        if self.failures:
            self.failures -= 1
            raise ConnectionError("receiver is down")
        self.got += events

    def record(self, name: str, batch_size: int = 1) -> WebhookEmitter:
        return WebhookEmitter(name=name, deliver=self.deliver, accepts=self.accepts, batch_size=batch_size)

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
def plugged(site: Site, make_app: Callable[..., Flask]) -> Iterator[Callable[..., Flask]]:
    """An app with these emitters, inside its context, as a server has started it."""
    with_context = []

    def plug(*records: WebhookEmitter | AuditSink, name: str = "emitters") -> Flask:
        sinks = [record for record in records if isinstance(record, AuditSink)]
        emitters = [record for record in records if isinstance(record, WebhookEmitter)]
        site.plug(name, webhook_emitters=emitters, audit_sinks=sinks)
        app = make_app()
        context = app.app_context()
        context.push()
        with_context.append(context)
        consumers.enroll()
        return app

    yield plug
    while with_context:
        with_context.pop().pop()


@pytest.fixture
def emitting(plugged: Callable[..., Flask], good: Emitter, bad: Emitter) -> Flask:
    """An app whose events go to a bad emitter and a good one, inside its context."""
    return plugged(bad.record("bad"), good.record("good"))


def deliver(observers: Observers | None = None) -> int:
    """All that can be delivered now."""
    observers, horizon, count = observers or Observers(), Horizon(), 0
    while done := delivery.dispatch(observers, horizon):
        count += done
    return count


def held() -> list[HeldEvents]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(select(HeldEvents).order_by(HeldEvents.id)))


def position(name: str) -> int | None:
    db.session.rollback()
    return db.session.scalar(select(EventConsumer.position).where(EventConsumer.name == name))


def test_an_event_reaches_the_emitters_as_it_was_recorded_and_once(emitting: Flask, good: Emitter) -> None:
    event = happen(before={"height": 1}, after={"height": 2}, metadata={"by": "hand"})
    assert good.got == []
    deliver()
    assert good.got == [event]
    assert deliver() == 0
    assert good.attempts == 1


def test_an_event_of_a_change_that_was_rolled_back_is_told_to_nobody(emitting: Flask, good: Emitter) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        happen()
        raise ZeroDivisionError
    assert deliver() == 0
    assert good.got == logged() == []


def test_events_arrive_in_the_order_in_which_they_happened(
    emitting: Flask, good: Emitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LOOK", 7)
    monkeypatch.setattr(delivery, "BATCH", 3)
    made = [happen(f"wall {number}") for number in range(20)]
    deliver()
    assert good.got == made
    assert sorted(made, key=lambda event: event.id[:13]) == made


def test_an_emitter_gets_only_what_it_accepts(plugged: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "LOOK", 4)
    choosy = Emitter("wall.painted")
    plugged(choosy.record("choosy"))
    for number in range(6):
        happen("bare")
        happen(f"painted {number}", type="wall.painted")
        happen("bare")
    deliver()
    assert choosy.names == [f"painted {number}" for number in range(6)]
    assert position("emitter:choosy") == db.session.scalar(select(LoggedEvent.id).order_by(LoggedEvent.id.desc()))


def test_a_new_emitter_gets_what_happens_from_the_first_start_with_it(
    plugged: Callable[..., Flask], make_app: Callable[..., Flask], good: Emitter
) -> None:
    with make_app().app_context():
        happen("before it was installed")
    app = plugged(good.record("good"))
    happen("before any worker ran")
    Worker(app).step()
    assert good.names == ["before any worker ran"]
    migrations.seed()
    happen("later")
    deliver()
    assert good.names == ["before any worker ran", "later"]


def test_servers_that_start_at_the_same_time_enroll_a_new_emitter_once(
    site: Site, make_app: Callable[..., Flask], good: Emitter
) -> None:
    site.plug("emitters", webhook_emitters=[good.record("good")])
    app, start, errors = make_app(), threading.Barrier(4), []

    def begin() -> None:
        try:
            with app.app_context():
                db.session.connection()
                start.wait()
                consumers.enroll()
        except Exception as error:
            errors.append(error)

    servers = [threading.Thread(target=begin) for _ in range(4)]
    for server in servers:
        server.start()
    for server in servers:
        server.join()
    with app.app_context():
        names = list(db.session.scalars(select(EventConsumer.name)))
    assert (errors, names.count("emitter:good")) == ([], 1)


def test_a_failing_emitter_gets_the_event_again_later_and_the_others_get_it_once(
    emitting: Flask, good: Emitter, bad: Emitter
) -> None:
    bad.failures = 2
    happen()
    deliver()
    (row,) = held()
    assert (good.names, bad.got, row.entity_id, row.attempt) == (["tower"], [], "tower", 1)
    assert row.last_error == "emitter:bad of the plugin emitters: ConnectionError: receiver is down"
    assert row.available_at > utcnow() + timedelta(seconds=1)
    assert deliver() == 0

    make_due()
    deliver()
    (row,) = held()
    assert (row.attempt, row.available_at > utcnow() + timedelta(seconds=3)) == (2, True)
    make_due()
    deliver()
    assert (good.names, bad.names, held()) == (["tower"], ["tower"], [])


def test_what_follows_on_a_failed_event_waits_for_it_and_what_is_about_others_does_not(
    emitting: Flask, bad: Emitter
) -> None:
    bad.failures = 1
    for height in range(3):
        happen("tower", after={"height": height})
        happen(f"fence {height}")
    deliver()
    assert bad.names == ["fence 0", "fence 1", "fence 2"]
    happen("tower", after={"height": 3})
    deliver()
    bad.failures = 1
    make_due()
    deliver()
    assert bad.names == ["fence 0", "fence 1", "fence 2"]
    make_due()
    deliver()
    assert [event.after for event in bad.got if event.entity_name == "tower"] == [{"height": n} for n in range(4)]
    assert held() == []


def test_what_was_held_goes_on_where_it_fails_again(plugged: Callable[..., Flask], good: Emitter) -> None:
    failing = {1, 3}
    tried: list[int] = []

    def deliver_some(events: Sequence[Event]) -> None:
        tried.append(1)
        if len(tried) in failing:
            raise ConnectionError("receiver is down")
        good.deliver(events)

    plugged(WebhookEmitter(name="some", deliver=deliver_some, accepts=good.accepts))
    for height in range(3):
        happen("tower", after={"height": height})
    deliver()
    make_due()
    deliver()
    assert [event.after for event in good.got] == [{"height": 0}]
    (row,) = held()
    assert (row.attempt, row.since) == (1, 2)
    make_due()
    deliver()
    assert [event.after for event in good.got] == [{"height": height} for height in range(3)]


def test_an_emitter_that_fails_five_times_in_a_row_is_left_alone_and_loses_nothing(
    emitting: Flask, good: Emitter, bad: Emitter
) -> None:
    bad.failures, observers = 5, Observers()
    for number in range(8):
        happen(f"wall {number}")
    deliver(observers)
    assert (bad.attempts, len(good.got), len(held())) == (5, 8, 5)
    assert deliver(observers) == 0
    make_due()
    deliver(Observers())
    assert sorted(bad.names) == [f"wall {number}" for number in range(8)]
    assert held() == []


def test_what_is_held_and_fails_again_keeps_nothing_else_waiting(plugged: Callable[..., Flask], good: Emitter) -> None:
    """Ten poisoned events, whose time has come at once, are more failures in a row than a breaker allows."""

    def deliver_some(events: Sequence[Event]) -> None:
        if events[0].entity_name.startswith("poison"):
            raise ConnectionError("receiver is down")
        good.deliver(events)

    plugged(WebhookEmitter(name="some", deliver=deliver_some, accepts=good.accepts))
    for number in range(10):
        happen(f"poison {number}")
        happen(f"wall {number}")
    observers, horizon = Observers(), Horizon()
    delivery.dispatch(observers, horizon)
    assert len(good.got) == len(held()) == 10
    for number in range(10, 20):
        make_due()
        happen(f"wall {number}")
        delivery.dispatch(observers, horizon)
        assert good.names[-1] == f"wall {number}"
    assert sum(row.attempt for row in held()) == 20, "one is tried again at a time"


def test_an_emitter_gets_as_many_events_at_once_as_it_takes(plugged: Callable[..., Flask], good: Emitter) -> None:
    plugged(good.record("good", batch_size=4))
    made = [happen(f"wall {number}") for number in range(10)]
    deliver()
    assert (good.got, good.attempts) == (made, 3)


def test_of_events_that_fail_together_the_one_is_found_that_fails_alone(
    plugged: Callable[..., Flask], good: Emitter
) -> None:
    def deliver_some(events: Sequence[Event]) -> None:
        if any(event.entity_name == "poison" for event in events):
            raise ConnectionError("receiver is down")
        good.deliver(events)

    plugged(WebhookEmitter(name="some", deliver=deliver_some, accepts=good.accepts, batch_size=10))
    for height in range(2):
        happen("poison", after={"height": height})
        happen(f"wall {height}")
    deliver()
    assert good.names == ["wall 0", "wall 1"]
    assert [(row.entity_id, row.attempt) for row in held()] == [("poison", 1)]


def test_an_emitter_that_is_down_gets_the_whole_of_a_batch_when_it_is_back(
    plugged: Callable[..., Flask], bad: Emitter
) -> None:
    plugged(bad.record("bad", batch_size=10))
    bad.failures, observers = 5, Observers()
    for number in range(20):
        happen(f"wall {number}")
    deliver(observers)
    assert (bad.attempts, len(held()), bad.got) == (5, 4, []), "one of all, and four of one each"
    make_due()
    deliver(Observers())
    assert sorted(bad.names) == sorted(f"wall {number}" for number in range(20))


def test_an_emitter_that_can_not_say_what_it_accepts_gets_the_event_later(
    plugged: Callable[..., Flask], good: Emitter
) -> None:
    answers: list[bool | type[Exception]] = [ZeroDivisionError, ZeroDivisionError, True]

    def accepts(event_type: str) -> bool:
        answer = answers.pop(0) if answers else True
        if answer is ZeroDivisionError:
            raise ZeroDivisionError
        return bool(answer)

    plugged(WebhookEmitter(name="c", deliver=good.deliver, accepts=accepts))
    happen()
    deliver()
    assert good.names == []
    make_due()
    deliver()
    assert good.names == ["tower"]


def test_an_emitter_that_breaks_its_session_harms_no_other(plugged: Callable[..., Flask]) -> None:
    counted: list[int] = []

    def breaks(events: Sequence[Event]) -> None:
        db.session.execute(text("SELECT nothing FROM nowhere"))

    def counts(events: Sequence[Event]) -> None:
        counted.append(len(list(db.session.scalars(select(LoggedEvent.id)))))

    plugged(WebhookEmitter(name="a", deliver=breaks), WebhookEmitter(name="b", deliver=counts))
    happen()
    deliver()
    assert counted == [1]


def test_an_emitter_that_is_gone_holds_up_nothing_and_goes_on_where_it_was_when_it_is_back(
    plugged: Callable[..., Flask], make_app: Callable[..., Flask], bad: Emitter
) -> None:
    bad.failures = 1
    app = plugged(bad.record("bad"))
    happen("failed")
    deliver()
    with make_app(BVO_DISABLED_PLUGINS="emitters").app_context():
        happen("meanwhile")
        deliver()
        assert consumers.needed_from() > held()[0].since
    with app.app_context():
        make_due()
        deliver()
    assert sorted(bad.names) == ["failed", "meanwhile"]


def test_two_workers_at_once_deliver_each_event_once_and_in_order(emitting: Flask, good: Emitter) -> None:
    made = [happen(f"wall {number}") for number in range(30)]

    def work() -> None:
        worker = Worker(emitting)
        for _ in range(20):
            worker.step()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert good.got == made


def test_the_events_of_a_worker_that_died_are_delivered_by_another_after_its_lease(
    emitting: Flask, good: Emitter
) -> None:
    happen()
    with transaction() as session:
        session.execute(
            update(EventConsumer).values(lease_hash="of the dead", lease_expires_at=utcnow() + timedelta(seconds=60))
        )
    assert deliver() == 0
    with transaction() as session:
        session.execute(update(EventConsumer).values(lease_expires_at=utcnow() - timedelta(seconds=1)))
    deliver()
    assert good.names == ["tower"]


def test_what_a_worker_had_that_died_is_handed_over_alone_and_the_next_event_last(
    plugged: Callable[..., Flask], good: Emitter
) -> None:
    """It may be this one that ended the worker: what follows must not wait for it again and again."""
    plugged(good.record("good", batch_size=10))
    for number in range(3):
        happen(f"wall {number}")
    with transaction() as session:
        ended = utcnow() - timedelta(seconds=1)
        session.execute(update(EventConsumer).values(lease_hash="of the dead", lease_expires_at=ended))
    deliver()
    assert (good.names, good.attempts) == (["wall 1", "wall 2", "wall 0"], 3)
    happen("wall 3")
    happen("wall 4")
    deliver()
    assert good.attempts == 4, "it was given back since"


def test_when_to_try_again_is_known_before_the_try(plugged: Callable[..., Flask], bad: Emitter) -> None:
    """A process that does not survive it can't say so afterwards."""
    due: list[bool] = []

    def deliver_some(events: Sequence[Event]) -> None:
        db.session.rollback()
        due.extend(row.available_at <= utcnow() for row in db.session.scalars(select(HeldEvents)))
        bad.deliver(events)

    plugged(WebhookEmitter(name="bad", deliver=deliver_some, accepts=bad.accepts))
    bad.failures = 1
    happen()
    deliver()
    make_due()
    deliver()
    assert (due, bad.names, held()) == ([False], ["tower"], [])


def test_a_worker_that_took_too_long_moves_nothing_on_any_more(
    plugged: Callable[..., Flask], good: Emitter, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "SAVE_SECONDS", 0)

    def hangs(events: Sequence[Event]) -> None:
        good.deliver(events)
        if len(good.got) == 1:  # until another worker has taken over
            with transaction() as session:
                taken = {"lease_hash": "of another", "lease_expires_at": utcnow() + timedelta(seconds=60)}
                session.execute(update(EventConsumer).values(taken))

    plugged(WebhookEmitter(name="slow", deliver=hangs, accepts=good.accepts))
    happen("first")
    happen("second")
    deliver()
    assert (good.names, position("emitter:slow")) == (["first"], 0)
    assert "took too long" in caplog.text
    with transaction() as session:
        session.execute(update(EventConsumer).values(lease_hash=None))
    deliver()
    assert good.names == ["first", "first", "second"]


def test_after_a_jump_of_the_clock_nobody_waits_for_a_time_that_was_told_by_it(emitting: Flask, bad: Emitter) -> None:
    bad.failures = 1
    happen("tower")
    deliver()
    happen("fence")
    with transaction() as session:
        tomorrow = utcnow() + timedelta(days=1)
        session.execute(update(EventConsumer).values(lease_hash="of the dead", lease_expires_at=tomorrow))
        session.execute(update(HeldEvents).values(available_at=tomorrow))
    delivery.count_anew()
    delivery.count_anew()
    leases_end = set(db.session.scalars(select(EventConsumer.lease_expires_at)))
    assert all(end <= utcnow() + delivery.LEASE for end in leases_end)
    with transaction() as session:
        session.execute(update(EventConsumer).values(lease_expires_at=utcnow() - timedelta(seconds=1)))
    deliver()
    assert sorted(bad.names) == ["fence", "tower"]


def test_an_external_sink_gets_every_event_and_is_tried_again(plugged: Callable[..., Flask]) -> None:
    sink = Emitter()
    sink.failures = 1
    plugged(AuditSink(name="file", write=sink.deliver))
    happen("tower")
    happen("something else", type="fence.built")
    deliver()
    make_due()
    deliver()
    assert sorted(sink.names) == ["something else", "tower"]


def test_what_is_delivered_is_kept_from_time_to_time_and_not_each_time(
    sqlite_app: Callable[..., Flask], site: Site, good: Emitter
) -> None:
    commits: list[int] = []
    site.plug("emitters", webhook_emitters=[good.record("good")])
    with sqlite_app().app_context():
        consumers.enroll()
        for number in range(50):
            happen(f"wall {number}")
        sql_events.listen(db.engine, "commit", lambda connection: commits.append(1))
        deliver()
        assert (len(good.got), len(commits) < 5 * len(consumers.present())) == (50, True)


def test_what_a_consumer_still_needs_is_told(emitting: Flask, bad: Emitter) -> None:
    bad.failures = 1
    for name in ("first", "second", "third"):
        happen(name)
    assert consumers.needed_from() == 1
    deliver()
    assert consumers.needed_from() == 1
    make_due()
    deliver()
    assert consumers.needed_from() == 4


def test_what_nobody_wants_is_passed_with_few_writes_however_much_it_is(sqlite_app: Callable[..., Flask]) -> None:
    """Each waits for the disk, and for those that write at the same time."""
    commits: list[int] = []
    with sqlite_app().app_context():
        with transaction():
            for number in range(500):
                happen(f"wall {number}")
        sql_events.listen(db.engine, "commit", lambda connection: commits.append(1))
        consumers = len(db.session.scalars(select(EventConsumer.id)).all())
        assert deliver() == 500 * consumers
        assert len(commits) <= 3 * consumers
        commits.clear()
        assert deliver() == 0
        assert commits == []


@pytest.mark.parametrize("began_first", ["late", "seen"])
def test_an_event_that_is_committed_late_is_not_missed(
    emitting: Flask, good: Emitter, make_app: Callable[..., Flask], began_first: str
) -> None:
    """PostgreSQL numbers events before they are committed: here the later one is seen first.

    Where the transaction of the one that is seen began first, its number is the highest that has ended, and the other
    one is running beyond what a snapshot counts.
    """
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer")
    observers, horizon = Observers(), Horizon()
    first = happen("first")
    with db.engine.connect() as slow, db.engine.connect() as quick:
        if began_first == "seen":
            quick.execute(text("SELECT pg_current_xact_id()"))
        write(slow, first, "late")
        write(quick, first, "seen")
        quick.commit()
        for _ in range(3):
            delivery.dispatch(observers, horizon)
        assert good.got in ([], [first])
        slow.commit()
    for _ in range(3):
        delivery.dispatch(observers, horizon)
    assert good.names == ["first", "late", "seen"]


def write(connection: Connection, event: Event, name: str) -> None:
    """Add an event like this one to the log, in the connection's transaction."""
    another = replace(event, id=name, entity_id=name, entity_name=name)
    connection.execute(insert(event_log.TABLE).values(event_log.row(another)))


def test_under_steady_load_the_horizon_follows(emitting: Flask, good: Emitter, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is always a transaction under way, and never for long."""
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer")
    horizon = Horizon()
    running = [db.engine.connect()]
    running[0].execute(text("SELECT pg_current_xact_id()"))
    for number in range(5):
        happen(f"wall {number}")
        horizon.look()
        running.append(db.engine.connect())
        running[-1].execute(text("SELECT pg_current_xact_id()"))
        running[-2].close()
        horizon.look()
        assert horizon.place == number + 1
    running[-1].close()


def test_a_transaction_has_its_number_before_its_event_has_one(app_context: Flask) -> None:
    """Else an event could get a place behind the horizon. That of an event alone in its transaction is the case."""
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer")
    default = db.session.scalar(
        text(
            "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef"
            " WHERE adrelid = 'events'::regclass AND adnum = (SELECT attnum FROM pg_attribute"
            " WHERE attrelid = 'events'::regclass AND attname = 'id')"
        )
    )
    assert default.index("pg_current_xact_id()") < default.index("nextval")
    assert "CASE" in default
