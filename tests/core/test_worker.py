"""The background worker goes on, whatever its parts do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from bvo import clock, consumers, delivery, worker
from bvo.consumers import EventConsumer
from bvo.database import db, utcnow
from bvo.settings import StoredSetting
from bvo.worker import Worker
from bvo_hookspecs import Event, PeriodicTask, WebhookEmitter
from support.plugins import Site
from support.walls import happen


def every(seconds: float, name: str, run: Callable[[], None]) -> PeriodicTask:
    return PeriodicTask(name=name, every=timedelta(seconds=seconds), run=run)


def test_a_task_that_fails_or_breaks_its_session_harms_no_other(
    site: Site, make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    counted: list[int] = []

    def fails() -> None:
        raise ConnectionError("no route")

    def breaks() -> None:
        db.session.execute(text("SELECT nothing FROM nowhere"))

    def counts() -> None:
        counted.append(len(list(db.session.scalars(select(StoredSetting)))))

    site.plug(
        "tasks", periodic_tasks=[every(9, "fails", fails), every(9, "breaks", breaks), every(9, "counts", counts)]
    )
    assert Worker(make_app()).step() == 0
    assert counted == [0]
    assert "'fails' of the plugin 'tasks' failed" in caplog.text
    assert "'breaks' of the plugin 'tasks' failed" in caplog.text


def test_a_task_runs_at_once_and_then_in_its_own_time(
    site: Site, sqlite_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    site.plug(
        "tasks",
        periodic_tasks=[
            every(10, "often", lambda: ran.append("often")),
            every(60, "seldom", lambda: ran.append("seldom")),
        ],
    )
    now = time.monotonic()
    monkeypatch.setattr(worker.time, "monotonic", lambda: now)
    running = Worker(sqlite_app())
    for later in (0, 9, 11, 61):
        monkeypatch.setattr(worker.time, "monotonic", lambda later=later: now + later)
        running.step()
        ran.append(str(later))
    assert ran == ["often", "seldom", "0", "9", "often", "11", "often", "seldom", "61"]


def test_a_task_that_fails_again_and_again_is_still_tried_in_its_own_time(
    site: Site, sqlite_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is away all of them fail; the watchdog may not be late when it is back."""
    ran: list[float] = []

    def fails() -> None:
        ran.append(steady)
        raise ConnectionError("no route")

    site.plug("tasks", periodic_tasks=[every(5, "sweeps", fails)])
    made, steady = Worker(sqlite_app()), time.monotonic()
    monkeypatch.setattr(worker.time, "monotonic", lambda: steady)
    for _ in range(20):
        made.step()
        steady += 5
    assert len(ran) == 20


def test_after_a_jump_of_the_clock_a_task_counts_anew_twice_before_it_goes_on(
    site: Site, sqlite_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def counts_anew() -> None:
        ran.append("anew")
        if len(ran) == 2:
            raise ConnectionError("no route")

    sweeps = every(0.1, "sweeps", lambda: ran.append("sweep"))
    site.plug("tasks", periodic_tasks=[replace(sweeps, after_jump=counts_anew)])
    made, steady, wall = Worker(sqlite_app()), time.monotonic(), utcnow()
    monkeypatch.setattr(worker.time, "monotonic", lambda: steady)
    monkeypatch.setattr(clock, "utcnow", lambda: wall)
    clock.guard.look()
    for jump in (timedelta(days=1), -timedelta(hours=1)):
        ran[:], wall = [], wall + jump
        for seconds in (1, 1, worker.CALM_SECONDS, 0.1, 0.1):
            steady, wall = steady + seconds, wall + timedelta(seconds=seconds)
            made.step()
        assert ran == ["anew", "anew", "anew", "sweep"]


def test_the_worker_stops_when_it_is_told_to(sqlite_app: Callable[..., Flask]) -> None:
    running = Worker(sqlite_app())
    thread = threading.Thread(target=running.run)
    thread.start()
    running.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_an_emitter_that_hangs_holds_up_no_other_and_no_task(
    site: Site, sqlite_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(worker, "STOP_SECONDS", 0.1)
    hangs, released, ran, got = threading.Event(), threading.Event(), threading.Event(), threading.Event()

    def hang(events: Sequence[Event]) -> None:
        hangs.set()
        released.wait(20)

    site.plug(
        "slow",
        webhook_emitters=[
            WebhookEmitter(name="slow", deliver=hang, accepts={"wall.built"}.__contains__),
            WebhookEmitter(name="quick", deliver=lambda events: got.set(), accepts={"wall.built"}.__contains__),
        ],
        periodic_tasks=[every(0.1, "works", lambda: hangs.is_set() and ran.set())],
    )
    app = sqlite_app()
    running = Worker(app)
    thread = threading.Thread(target=running.run)
    thread.start()
    with app.app_context():
        consumers.enroll()
        happen()
    assert hangs.wait(10)
    assert ran.wait(10)
    assert got.wait(10)
    running.stop()
    thread.join(10)
    assert not thread.is_alive(), "it waits for what hangs a moment only"
    released.set()


def test_the_worker_survives_a_database_that_is_gone(
    sqlite_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.01)
    app = sqlite_app()
    running = Worker(app)
    with app.app_context():
        db.session.execute(text("ALTER TABLE events RENAME TO gone"))
        db.session.commit()
    assert running.step() == 0
    assert "The worker failed at a step and goes on" in caplog.text
    with app.app_context():
        db.session.execute(text("ALTER TABLE gone RENAME TO events"))
        db.session.commit()
    caplog.clear()
    assert running.step() == 0
    assert "failed at a step" not in caplog.text


def test_a_busy_worker_takes_batch_after_batch(
    sqlite_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LOOK", 2)
    app = sqlite_app()
    with app.app_context():
        for number in range(5):
            happen(f"wall {number}")
        enrolled = db.session.scalar(select(func.count(EventConsumer.id))) or 0
    running = Worker(app)
    assert [running.step() for _ in range(4)] == [2 * enrolled, 2 * enrolled, enrolled, 0]
