"""Short plays with fixed parts: each leads straight to where a certain kind of bug would show."""

from __future__ import annotations

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from .proxy import CUT
from .scene import Scene
from .wire import at_once

SCRIPT_SECONDS = 8
HOUR = 3600
MANY = 8


def two_ask_for_one_job(scene: Scene) -> None:
    scene.job()
    first, second = scene.robot(), scene.robot()
    first.take()
    second.claim()


def many_ask_at_once(scene: Scene) -> None:
    """As many robots as jobs: nobody may be sent away."""
    robots = [scene.robot() for _ in range(MANY)]
    for _ in robots:
        scene.job()
    scene.is_set_up()
    with ThreadPoolExecutor(MANY) as pool:
        for call, _ in pool.map(lambda robot: robot.claim(), robots):
            call.details["must"] = MANY


def one_asks_twice(scene: Scene) -> None:
    scene.job()
    scene.job()
    robot = scene.robot()
    first = robot.take()
    robot.claim()
    robot.renew(first)


def all_are_found(scene: Scene) -> None:
    for left in (2, 1):
        scene.job()
        call, _ = scene.robot().claim()
        call.details["must"] = left


def two_share_a_key(scene: Scene) -> None:
    scene.job()
    key = uuid.uuid4().hex
    for robot in (scene.robot(), scene.robot()):
        robot.claim(key=key)


def work_is_done(scene: Scene) -> None:
    scene.job()
    robot = scene.robot()
    held = robot.take()
    at_once(3, lambda: robot.log(held, 1, "a line\n"))
    robot.log(held, 1, "a line\n")
    robot.finish(held, result={"text": "Größe " * 20, "nonce": uuid.uuid4().hex})


def requests_come_thrice(scene: Scene) -> None:
    scene.job(twins=3)


def it_renews_in_time(scene: Scene) -> None:
    """Not much earlier than it must, but in time."""
    scene.job()
    robot = scene.robot()
    held = robot.take()
    for _ in range(4):
        time.sleep(scene.world.terms.lease_seconds * 0.85)
        if robot.renew(held) != "valid":
            break


def it_comes_back_late(scene: Scene) -> None:
    """When it has the next attempt of the same job already."""
    robot = scene.robot()
    old = scene.lose(robot, max_attempts=3, retry_delay_seconds=0)
    new = robot.take()
    for report in (lambda: robot.renew(old), lambda: robot.log(old, 1, "late"), lambda: robot.finish(old)):
        robot.renew(new)
        report()
    robot.finish(new)


def it_reports_after_a_loss(scene: Scene) -> None:
    """While the job waits for its next attempt."""
    robot = scene.robot()
    held = scene.lose(robot, max_attempts=3, retry_delay_seconds=600)
    robot.renew(held)
    robot.finish(held)


def it_reports_after_the_end(scene: Scene) -> None:
    robot = scene.robot()
    held = scene.lose(robot)
    if scene.status(held.job) == "failed":
        scene.seen_to_end(held.job)
        robot.finish(held)
    scene.robot().claim()


def it_gives_up_without_a_start(scene: Scene) -> None:
    """So that the one attempt is another robot's."""
    scene.job()
    first, second = scene.robot(), scene.robot()
    held = first.take()
    first.give_up(held, started=False)
    first.renew(held)
    first.finish(held)
    _, again = second.claim()
    if again:
        second.finish(again)


def it_vanishes(scene: Scene) -> None:
    scene.job()
    scene.robot().take()
    time.sleep(scene.world.terms.lease_seconds + scene.world.terms.sweep_seconds + 1)


def a_cancel_comes_first(scene: Scene) -> None:
    job, robot = scene.job(), scene.robot()
    held = robot.take()
    scene.cancel(job)
    if scene.status(job) == "canceled":
        scene.seen_to_end(job)
        robot.finish(held)


def the_clock_steps(scene: Scene) -> None:
    """Forth and back, while a robot holds a job for far longer than it takes to see the step."""
    with scene.world.leases_of(30), scene.world.stage.disturbing("clock", "step-clock", settle=1):
        scene.job()
        robot = scene.robot()
        held = robot.take()
        for hours in (1, 0):
            scene.world.clock.set(hours * HOUR)
            time.sleep(2 * scene.world.terms.sweep_seconds)
            robot.renew(held)


def a_script_is_cancelled(scene: Scene) -> None:
    with scene.world.leases_of(2), scene.world.running("runner-1"):
        job = scene.job(seconds=SCRIPT_SECONDS)
        (pid,) = _started(scene, job, 1)
        scene.cancel(job)
        _wait_for_end(scene, pid)


def a_runner_is_cut_off(scene: Scene) -> None:
    """Until another one has got the job."""
    with scene.world.leases_of(2), scene.world.running("runner-1"), scene.world.running("runner-2"):
        job = scene.job(seconds=SCRIPT_SECONDS, max_attempts=2, retry_delay_seconds=0)
        (first,) = _started(scene, job, 1)
        link = scene.world.links[scene.world.starts_of(job)[0].runner]
        link.poison(CUT)
        _started(scene, job, 2)
        _wait_for_end(scene, first)
        scene.cancel(job)
        link.heal()


def _started(scene: Scene, job: int, count: int) -> list[int]:
    """The process ids of the first `count` scripts of the job, as soon as they have started."""
    starts = scene.world.wait(
        f"start {count} of job {job}", lambda: scene.world.starts_of(job)[count - 1 :] and scene.world.starts_of(job)
    )
    return [start.pid for start in starts[:count]]


def _wait_for_end(scene: Scene, pid: int) -> None:
    def has_ended() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    scene.world.wait(f"the end of script {pid}", has_ended)
