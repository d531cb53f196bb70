"""Short plays about queue items."""

from __future__ import annotations

import uuid

from . import queue_work
from .scene import Scene
from .wire import at_once


def two_jobs_ask_for_one_item(scene: Scene) -> None:
    scene.item("often")
    first, second = scene.at_work(), scene.at_work()
    queue_work.take(*first, "often")
    _, taken = queue_work.take(*second, "often")
    for robot, held in (first, second):
        robot.finish(held)
    if taken:
        queue_work.complete(second[0], taken)


def all_items_are_found(scene: Scene) -> None:
    robot, held = scene.at_work()
    for _ in range(2):
        scene.item("once")
    for left in (2, 1):
        call, taken = queue_work.take(robot, held, "once")
        call.details["must"] = left
        if taken:
            queue_work.complete(robot, taken)
    robot.finish(held)


def an_item_is_worked_on(scene: Scene) -> None:
    scene.item("once")
    robot, held = scene.at_work()
    _, taken = queue_work.take(robot, held, "once", uuid.uuid4().hex)
    if taken:
        queue_work.renew(robot, taken)
        result = {"nonce": uuid.uuid4().hex}
        at_once(3, lambda: queue_work.complete(robot, taken, result))
    robot.finish(held)


def an_item_is_taken_again(scene: Scene) -> None:
    """Its first lease is dead: the job has asked for it again under the same key."""
    scene.item("once")
    robot, held = scene.at_work()
    key = uuid.uuid4().hex
    _, first = queue_work.take(robot, held, "once", key)
    _, second = queue_work.take(robot, held, "once", key)
    if first and second:
        queue_work.fail(robot, first)
        queue_work.complete(robot, second)
    robot.finish(held)


def a_job_forgets_its_item(scene: Scene) -> None:
    scene.item("often")
    robot, held = scene.at_work()
    _, taken = queue_work.take(robot, held, "often")
    robot.finish(held)
    if taken:
        scene.wait_for_item(taken.item, "new", seconds=4)


def an_item_fails_again_and_again(scene: Scene) -> None:
    scene.item("often")
    robot, held = scene.at_work()
    for _ in range(5):
        _, taken = queue_work.take(robot, held, "often")
        if taken:
            queue_work.fail(robot, taken)
    robot.finish(held)


def a_job_adds_an_item_thrice(scene: Scene) -> None:
    robot, held = scene.at_work()
    nonce = uuid.uuid4().hex
    for _ in range(3):
        queue_work.add(robot, held, "often", nonce)
    robot.finish(held)
