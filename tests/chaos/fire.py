"""A run: load, faults, quiet, judgement."""

from __future__ import annotations

import itertools
import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func

from bvo.event_log import LoggedEvent
from bvo_jobs.models import Job
from bvo_queues.models import QueueItem

from . import faults, items, oracle, queue_work, timing
from .clients import Operator, add_item, create
from .evidence import Evidence
from .faults import Fault
from .fleet import Hand
from .observer import FINAL, ITEM_FINAL
from .wire import Wire
from .world import World

log = logging.getLogger(__name__)

ROBOTS, LEGACY = 8, 2
AT_ONCE = 6
STUCK_SECONDS = 60
"""Jobs that have not ended are given up where nothing at all has changed for so long: that bound is no speed."""
QUIET, TIDYING_JOBS = 6, 3
"""How many jobs, and items, there are when nothing else happens; and at once while items are left over."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run did and found."""

    seed: str
    seconds: float
    faults: dict[str, int]
    left_out: list[str]
    """Kinds of faults that this machine does not let us inject."""
    calls: int
    unknown: dict[str, int]
    jobs: dict[str, int]
    items: dict[str, int]
    claims: int
    item_claims: int
    starts: int
    lost_attempts: dict[str, int]
    longest_recovery: float
    violations: list[dict[str, str]]


def burn(world: World, seed: str, count: int, progress: Callable[[Fault], None] = lambda _: None) -> Report:
    """Inject `count` faults into the world while it is at work, let it drain, and judge."""
    began = time.monotonic()
    with ExitStack() as ends:
        for name in ("runner-1", "runner-2"):
            world.runner(name)
        hands = _hands(world, seed)
        operators = _operators(world, seed)
        for thread in (*hands, *operators):
            ends.callback(thread.stop)
            thread.start()
        plan = faults.schedule(seed, count, world)
        _inject_all(world, plan, progress)
        for operator in operators:
            operator.end()
        world.server.revive()
        for hand in hands:
            hand.tidies = True
        drain(world)
        for hand in hands:
            hand.end()
    for runner in world.runners.values():
        runner.assert_runs("under fire")
        runner.stop()
    be_quiet(world)
    return report(world, seed, plan, time.monotonic() - began)


def drain(world: World, patience: float = STUCK_SECONDS) -> None:
    """Wait until jobs and items have ended, or nothing moves any more: the oracle says then what was lost.

    Jobs are made as long as there are items: only a job works on them.
    """
    told: tuple[Any, ...] = ()
    seen, since, operator = -1, time.monotonic(), world.operator("drain")
    while time.monotonic() - since < patience:
        jobs = world.tables.columns(func.count(Job.id), where=[Job.status.not_in(FINAL)])[0][0]
        items = world.tables.columns(func.count(QueueItem.id), where=[QueueItem.status.not_in(ITEM_FINAL)])[0][0]
        if not jobs and not items:
            break
        if not jobs:
            make_jobs(world, operator, TIDYING_JOBS)
            told = (LoggedEvent.entity_type == "queue_item",)  # these jobs show nothing
        changes = world.tables.columns(func.count(LoggedEvent.id), where=told)[0][0]
        if changes != seen:
            seen, since = changes, time.monotonic()
        time.sleep(0.2)
    looks = world.observer.looks  # so that it has seen everything as it ended
    world.wait("a look of the observer", lambda: world.observer.looks > looks + 1)
    world.wait_until_told()


def be_quiet(world: World) -> None:
    """Nothing else happens: whoever asks for work while there is some must get it."""
    if world.tables.columns(func.count(Job.id), where=[Job.status.not_in(FINAL)])[0][0]:
        return
    operator, robots = world.operator("quiet"), [world.robot(f"quiet-{number}") for number in range(2)]
    make_jobs(world, operator, QUIET)
    for _ in range(QUIET):
        nonce = uuid.uuid4().hex
        add_item(operator, {"queue_name": "once", "payload": {"nonce": nonce}}, nonce)
    for number in range(QUIET):
        robot = robots[number % len(robots)]
        call, held = robot.claim()
        call.details["must"] = QUIET - number
        if held:
            call, taken = queue_work.take(robot, held, "once")
            call.details["must"] = QUIET - number
            if taken:
                queue_work.complete(robot, taken)
            robot.finish(held)
    drain(world, patience=2)


def make_jobs(world: World, operator: Wire, count: int) -> None:
    for _ in range(count):
        nonce = uuid.uuid4().hex
        create(operator, {"process_id": world.process_id, "parameters": world.script_job(nonce, 0)}, nonce)


def report(world: World, seed: str, plan: list[Fault], seconds: float) -> Report:
    evidence = Evidence(world)
    return Report(
        seed=seed,
        seconds=round(seconds, 1),
        faults=dict(Counter(fault.kind for fault in plan)),
        left_out=faults.left_out(world),
        calls=len(evidence.calls),
        unknown=oracle.unknown(evidence),
        jobs=dict(Counter(job["status"] for job in evidence.jobs.values())),
        items=dict(Counter(item["status"] for item in evidence.items.values())),
        item_claims=sum(len(leases) for leases in items.leases(evidence).values()),
        claims=sum(len(leases) for leases in evidence.leases.values()),
        starts=len(evidence.starts),
        lost_attempts=dict(Counter(row["reason"] for row in evidence.lost)),
        longest_recovery=round(timing.longest_recovery(evidence), 2),
        violations=[asdict(found) for found in oracle.judge(evidence)],
    )


def _hands(world: World, seed: str) -> list[Hand]:
    links = itertools.cycle(faults.ROBOT_LINKS)
    robots = [world.robot(f"robot-{number}", next(links), legacy=number < LEGACY) for number in range(ROBOTS)]
    return [Hand(robot, f"{seed}/{robot.wire.who}", world.terms.lease_seconds) for robot in robots]


def _operators(world: World, seed: str) -> list[Operator]:
    wires = [world.operator(f"operator-of-{link}", link) for link in faults.CLIENT_LINKS]
    return [Operator(world, wire, f"{seed}/{wire.who}") for wire in wires]


def _inject_all(world: World, plan: list[Fault], progress: Callable[[Fault], None]) -> None:
    """One after the other, as far as they hit different targets also at the same time."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fault") as pool:
        running: list[Future[Any]] = []
        for fault in plan:
            time.sleep(fault.pause)
            running.append(pool.submit(_inject, world, fault, progress))
            while sum(not each.done() for each in running) >= AT_ONCE:
                time.sleep(0.05)
        for each in running:
            each.result()


def _inject(world: World, fault: Fault, progress: Callable[[Fault], None]) -> None:
    log.info("%s", fault)
    faults.inject(world, fault)
    progress(fault)
