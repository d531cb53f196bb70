"""Jobs and queue items on both databases and in a model, through the same steps; the clock stands still in between."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bvo import clock, create_app, database
from bvo.database import db
from chaos.backend import ROBOTS, Backend
from chaos.item_model import QUEUES, ItemModel, Taken
from chaos.model import Claim, Model
from support.databases import Databases, PostgresDatabases, SqliteDatabases

SCHEDULES = int(os.environ.get("BVO_TEST_SCHEDULES", "0"))
"""How many are tried; more than the usual ones are drawn anew each time."""
USUAL, STEPS = 25, 40
ENDS = st.sampled_from(("complete", "fail", "fail", "business", "release"))
BEGIN = datetime(2030, 1, 1, tzinfo=UTC)


def stands_still() -> datetime:
    """Runs with the names of `bvo.database`."""
    return CHAOS_NOW  # type: ignore[name-defined]  # noqa: F821


class Work(RuleBasedStateMachine):
    """Every step is done thrice, and must lead to the same thrice."""

    backends: tuple[Backend, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.items = ItemModel(self.model)
        self.claims: list[Claim] = []
        self.taken: list[Taken] = []
        self._set_clock()
        for backend in self.backends:
            backend.begin()

    @rule(
        priority=st.integers(-1, 1),
        max_attempts=st.sampled_from((1, 2, 5)),
        delay=st.sampled_from((0, 30, 2000)),
        timeout=st.sampled_from((None, 100)),
        assigned=st.sampled_from((None, None, 0, 1)),
    )
    def create(self, **values: Any) -> None:
        self.model.create(**values)
        for backend in self.backends:
            backend.create(**values)

    @rule(robot=st.integers(0, ROBOTS - 1), confirms=st.booleans())
    def claim(self, robot: int, confirms: bool) -> None:
        claim = self.model.claim(robot, confirms=confirms)
        lease = claim.lease if claim else 0
        for backend in self.backends:
            assert backend.claim(robot, lease, confirms=confirms) == (claim.job if claim else None)
        if claim:
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, 5))
    def renew(self, which: int) -> None:
        claim = self._claim(which)
        self._same(self.model.renew(claim), lambda backend: backend.renew(claim))

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, 5), status=st.sampled_from(("completed", "failed")), outcome=st.sampled_from("ab"))
    def finish(self, which: int, status: str, outcome: str) -> None:
        claim, outcome = self._claim(which), f"{status} {outcome}"
        self._same(self.model.finish(claim, status, outcome), lambda backend: backend.finish(claim, status, outcome))

    @precondition(lambda self: self.model.jobs)
    @rule(which=st.integers(0, 5))
    def cancel(self, which: int) -> None:
        number = self._job(which)
        self._same(self.model.cancel(number), lambda backend: backend.cancel(number))

    @precondition(lambda self: self.model.jobs)
    @rule(which=st.integers(0, 5))
    def retry(self, which: int) -> None:
        number = self._job(which)
        self._same(self.model.retry(number), lambda backend: backend.retry(number))

    @rule(queue=st.integers(0, len(QUEUES) - 1), priority=st.integers(0, 1))
    def add_item(self, queue: int, priority: int) -> None:
        self.items.add(queue, priority)
        for backend in self.backends:
            backend.add(queue, priority)

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, 3), queue=st.integers(0, len(QUEUES) - 1))
    def take_item(self, which: int, queue: int) -> None:
        claim = self._claim(which)
        taken = self.items.take(claim, queue)
        lease = taken.lease if isinstance(taken, Taken) else 0
        expected = taken.item if isinstance(taken, Taken) else taken
        for backend in self.backends:
            assert backend.take(claim, queue, lease) == expected
        if isinstance(taken, Taken):
            self.taken.append(taken)

    @initialize()
    def begin_at_work(self) -> None:
        """Else most of the steps would find nobody at work, and nothing to work on."""
        for robot in range(ROBOTS):
            self.create(priority=0, max_attempts=2, delay=0, timeout=None, assigned=None)
            self.claim(robot, confirms=False)
        for queue in range(len(QUEUES)):
            self.add_item(queue, 0)

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, 2), queue=st.integers(0, len(QUEUES) - 1), how=ENDS)
    def work_on_an_item(self, which: int, queue: int, how: str) -> None:
        before = len(self.taken)
        self.take_item(which, queue)
        if len(self.taken) > before:
            self.settle_item(0, how)

    @precondition(lambda self: self.taken)
    @rule(which=st.integers(0, 3))
    def renew_item(self, which: int) -> None:
        taken = self.taken[-1 - which % len(self.taken)]
        self._same(self.items.renew(taken), lambda backend: backend.renew_item(taken))

    @precondition(lambda self: self.taken)
    @rule(which=st.integers(0, 3), how=ENDS)
    def settle_item(self, which: int, how: str) -> None:
        taken = self.taken[-1 - which % len(self.taken)]
        self._same(self.items.settle(taken, how), lambda backend: backend.settle(taken, how))

    @rule(seconds=st.sampled_from((1, 14, 15, 16, 30, 59, 60, 61, 101, 4000)), then_sweep=st.booleans())
    def time_passes(self, seconds: int, then_sweep: bool) -> None:
        self.model.now += seconds
        self._set_clock()
        if then_sweep:
            self.sweep()

    @rule()
    def sweep(self) -> None:
        self.model.sweep()
        self.items.sweep()
        for backend in self.backends:
            backend.sweep()

    @rule(seconds=st.sampled_from((-86_400, -3600, 3600)))
    def the_clock_jumps(self, seconds: int) -> None:
        self.model.now += seconds
        self._set_clock()
        self.model.jump()
        self.items.jump()
        for backend in self.backends:
            backend.jump()

    @invariant()
    def all_see_the_same(self) -> None:
        expected = [job.seen for job in self.model.jobs]
        for backend in self.backends:
            assert backend.seen() == expected
            assert backend.seen_items() == [item.seen for item in self.items.items]

    @invariant()
    def a_robot_has_one_job(self) -> None:
        robots = [job.robot for job in self.model.running()]
        assert len(robots) == len(set(robots))

    def _same(self, expected: str, step: Callable[[Backend], str]) -> None:
        assert [step(backend) for backend in self.backends] == [expected] * len(self.backends)

    def _claim(self, which: int) -> Claim:
        """One of the latest: older ones differ in nothing."""
        return self.claims[-1 - which % len(self.claims)]

    def _job(self, which: int) -> int:
        return self.model.jobs[-1 - which % len(self.model.jobs)].number

    def _set_clock(self) -> None:
        database.CHAOS_NOW = BEGIN + timedelta(seconds=self.model.now)  # type: ignore[attr-defined]
        clock.guard.look()


@pytest.fixture
def machine(
    sqlite: SqliteDatabases, postgres: PostgresDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[type[Work]]:
    def app(databases: Databases) -> Flask:
        return create_app({"BVO_DATABASE_URL": databases.fresh(), "BVO_DATA_DIR": tmp_path / "data"})

    apps = [app(sqlite), app(postgres)]
    monkeypatch.setattr(database, "CHAOS_NOW", BEGIN, raising=False)
    monkeypatch.setattr(database.utcnow, "__code__", stands_still.__code__)
    backends = tuple(Backend(app) for app in apps)
    yield type("WorkOnBoth", (Work,), {"backends": backends})
    for each in apps:
        with each.app_context():
            db.engine.dispose()
    monkeypatch.undo()
    clock.guard.look()


def test_work_goes_as_the_model_says_on_both_databases(machine: type[Work]) -> None:
    how = settings(
        max_examples=SCHEDULES or USUAL,
        stateful_step_count=STEPS,
        derandomize=not SCHEDULES,
        deadline=None,
        phases=list(Phase) if SCHEDULES else [Phase.generate],  # to shrink what fails takes many minutes
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=how)
