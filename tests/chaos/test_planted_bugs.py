"""The oracle can fail: each of these bugs, planted into the running processes, is seen, and seen by its name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

import pytest

from chaos import item_scenarios, oracle, scenarios
from chaos.databases import Sqlite
from chaos.evidence import Evidence
from chaos.scene import Play, Scene
from chaos.stage import Stage
from chaos.terms import Terms
from chaos.world import World
from support.databases import SqliteDatabases

SLOT = "uq_jobs_running_robot"
FREE_SLOT = f"DROP INDEX {SLOT}"
ONE_SLOT = f"CREATE UNIQUE INDEX {SLOT} ON jobs (robot_id) WHERE status = 'running'"


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A bug, where it shows, and the invariant that it breaks."""

    bug: str
    play: Play
    invariant: str
    lane: bool = False
    """Whether it is one of the lane ahead of Flask. The others are planted where Flask works, without the lane."""
    late: bool = False
    """Whether the play tells when the bug may come."""

    def __str__(self) -> str:
        return self.bug


PLANTED = (
    Planted(bug="claim-without-guard", play=scenarios.two_ask_for_one_job, invariant="I5"),
    Planted(bug="two-jobs-a-robot", play=scenarios.one_asks_twice, invariant="I2"),
    Planted(bug="claim-skips-jobs", play=scenarios.all_are_found, invariant="I3"),
    Planted(bug="a-key-is-anybodys", play=scenarios.two_share_a_key, invariant="I2"),
    Planted(bug="attempts-are-not-counted", play=scenarios.work_is_done, invariant="I10"),
    Planted(bug="result-without-its-lease", play=scenarios.it_comes_back_late, invariant="I4"),
    Planted(bug="renewal-without-its-lease", play=scenarios.it_comes_back_late, invariant="I4"),
    Planted(bug="result-of-a-lost-attempt", play=scenarios.it_reports_after_a_loss, invariant="I4"),
    Planted(bug="given-back-and-still-held", play=scenarios.it_gives_up_without_a_start, invariant="I4"),
    Planted(bug="result-after-cancel", play=scenarios.a_cancel_comes_first, invariant="I17"),
    Planted(bug="cancel-forgotten", play=scenarios.a_cancel_comes_first, invariant="I17"),
    Planted(bug="lease-shorter-than-told", play=scenarios.it_renews_in_time, invariant="I12"),
    Planted(bug="clock-steps-unseen", play=scenarios.the_clock_steps, invariant="I12"),
    Planted(bug="watchdog-asleep", play=scenarios.it_vanishes, invariant="I7"),
    Planted(bug="repeated-in-silence", play=scenarios.it_reports_after_the_end, invariant="I5"),
    Planted(bug="audit-row-left-out", play=scenarios.it_reports_after_the_end, invariant="I10"),
    Planted(bug="late-report-overwrites", play=scenarios.it_reports_after_the_end, invariant="I17"),
    Planted(bug="events-untold", play=scenarios.work_is_done, invariant="I11"),
    Planted(bug="events-told-backwards", play=scenarios.work_is_done, invariant="I11"),
    Planted(bug="keys-ignored", play=scenarios.requests_come_thrice, invariant="I9"),
    Planted(bug="log-pieces-twice", play=scenarios.work_is_done, invariant="I8"),
    Planted(bug="result-cut", play=scenarios.work_is_done, invariant="I8"),
    Planted(bug="result-forgotten", play=scenarios.work_is_done, invariant="I8"),
    Planted(bug="job-forgotten", play=scenarios.requests_come_thrice, invariant="I1"),
    Planted(bug="failure-unforeseen", play=scenarios.a_cancel_comes_first, invariant="I16"),
    Planted(bug="transactions-are-deferred", play=scenarios.many_ask_at_once, invariant="I3", late=True),
    Planted(bug="item-claim-without-guard", play=item_scenarios.two_jobs_ask_for_one_item, invariant="I2"),
    Planted(bug="items-are-skipped", play=item_scenarios.all_items_are_found, invariant="I3"),
    Planted(bug="item-result-without-its-lease", play=item_scenarios.an_item_is_taken_again, invariant="I4"),
    Planted(bug="item-retries-uncounted", play=item_scenarios.an_item_fails_again_and_again, invariant="I5"),
    Planted(bug="items-of-ended-jobs-stay", play=item_scenarios.a_job_forgets_its_item, invariant="I7"),
    Planted(bug="item-result-forgotten", play=item_scenarios.an_item_is_worked_on, invariant="I8"),
    Planted(bug="items-are-added-twice", play=item_scenarios.a_job_adds_an_item_thrice, invariant="I9"),
    Planted(bug="item-events-left-out", play=item_scenarios.an_item_is_worked_on, invariant="I10"),
    Planted(bug="lane-result-without-its-lease", play=scenarios.it_comes_back_late, invariant="I4", lane=True),
    Planted(bug="lane-renewal-without-its-lease", play=scenarios.it_comes_back_late, invariant="I4", lane=True),
    Planted(bug="lane-events-left-out", play=scenarios.work_is_done, invariant="I10", lane=True),
    Planted(bug="lane-answers-first", play=scenarios.two_ask_for_one_job, invariant="I5", lane=True),
    Planted(bug="runner-does-not-stop", play=scenarios.a_script_is_cancelled, invariant="I19"),
    Planted(bug="runner-without-fence", play=scenarios.a_runner_is_cut_off, invariant="I6"),
)
PLAYED = 3
"""So often at most until its bug is found: on a busy machine a lease of 1 s may end before the play has come so far."""
PLAYS = list(dict.fromkeys(planted.play for planted in PLANTED))


@pytest.fixture(scope="module")
def worlds(sqlite: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], World]]:
    """Installations whose processes can have the bugs, with the lane and without; each starts when it is used first."""
    with ExitStack() as ends:

        @cache
        def start(lane: bool) -> World:
            stage = ends.enter_context(Stage(tmp_path_factory.mktemp("planted")))
            terms = Terms(lease_seconds=1, bugs_change=True, lane=lane)
            return ends.enter_context(World(stage, Sqlite(stage, sqlite.fresh()), terms))

        yield start


@pytest.fixture
def scene(worlds: Callable[[bool], World], request: pytest.FixtureRequest) -> Iterator[Scene]:
    callspec = getattr(request.node, "callspec", None)
    planted = callspec and callspec.params.get("planted")
    world = worlds(bool(planted and planted.lane))
    world.revive()
    scene = Scene(world)
    yield scene
    world.revive()
    world.plant("")
    scene.clear()


def broken(scene: Scene) -> dict[str, str]:
    """The invariants that do not hold once the listener was told, with the words of one violation each."""
    scene.world.wait_until_told()
    found = oracle.judge(Evidence(scene.world, scene.mark))
    return {violation.invariant: violation.words for violation in found}


def is_found(scene: Scene, planted: Planted) -> bool:
    """Play it, and wait a while for what it breaks."""
    planted.play(scene)
    end = time.monotonic() + 10
    while not (found := planted.invariant in broken(scene)) and time.monotonic() < end:
        scene.world.server.assert_runs(f"waiting for: {planted.invariant}")
    return found


def test_a_server_that_a_bug_ends_is_seen_at_once_and_the_next_scene_has_one(scene: Scene) -> None:
    begun = time.monotonic()
    with pytest.raises(AssertionError, match=r"(?s)server ended by itself.*KeyError: 'there-is-none'"):
        scene.world.plant("there-is-none")
    assert time.monotonic() - begun < 20
    scene.world.revive()
    scene.world.plant("")
    assert scene.job()


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_planted_bug_is_found(scene: Scene, planted: Planted) -> None:
    if planted.late:
        scene.is_set_up = lambda: scene.world.plant(planted.bug)
    else:
        scene.world.plant(planted.bug)
    slots = planted.bug == "two-jobs-a-robot"
    try:
        if slots:
            scene.world.tables.execute(FREE_SLOT)
        assert any(is_found(scene, planted) for _ in range(PLAYED)), f"{planted.invariant} not in {broken(scene)}"
    finally:
        if slots:
            scene.world.plant("")
            scene.clear()
            scene.world.tables.execute(ONE_SLOT)


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)
def test_without_a_bug_the_same_breaks_nothing(scene: Scene, play: Play) -> None:
    play(scene)
    scene.clear()
    assert broken(scene) == {}
