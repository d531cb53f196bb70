"""How each kind of fault is done, and undone after its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from .processes import Owned
from .proxy import DOWN, UP

if TYPE_CHECKING:
    from .faults import Fault
    from .world import World

HOUR = 3600
STEPS = (HOUR, -HOUR, 24 * HOUR, -24 * HOUR)
REACTION_SECONDS = 0.3
WORK_CALLS, WORK_SECONDS = 25, 10


@contextmanager
def _keeping_all_from_work(world: World, fault: Fault, target: str, *touched: Owned) -> Iterator[None]:
    """Afterwards work goes on before anything else happens to these processes, also on a slow machine."""
    with ExitStack() as ends:
        for process in touched:
            ends.enter_context(process.lock)
        with world.stage.disturbing(target, fault.kind):
            yield
        before, deadline = world.history.carried_out, time.monotonic() + WORK_SECONDS
        while world.history.carried_out < before + WORK_CALLS and time.monotonic() < deadline:
            time.sleep(0.05)


def kill_server(world: World, fault: Fault) -> None:
    server = world.server
    with _keeping_all_from_work(world, fault, "server", server):
        server.revive()
        server.kill()
        server.start()


def kill_web_worker(world: World, fault: Fault) -> None:
    server = world.server
    with _keeping_all_from_work(world, fault, "server", server):
        server.revive()
        server.kill_child(b"serve")
        time.sleep(REACTION_SECONDS)
        server.revive()


def kill_worker(world: World, fault: Fault) -> None:
    """`bvo worker`, or the background worker of the server, which starts another one."""
    process = {"worker": world.worker, "server": world.server}[fault.target]
    with process.lock, world.stage.disturbing(fault.target, fault.kind):
        if process is world.server:
            world.server.kill_child(b"worker")
        elif not process.has_ended:
            process.kill()
            process.start()


def freeze_server(world: World, fault: Fault) -> None:
    """It may hold the database's lock meanwhile."""
    with _keeping_all_from_work(world, fault, "database", world.server):
        world.server.revive()
        _freeze(world.server, fault)


def freeze_worker(world: World, fault: Fault) -> None:
    with _keeping_all_from_work(world, fault, "database", world.worker):
        _freeze(world.worker, fault)


def freeze_runner(world: World, fault: Fault) -> None:
    """For longer than its lease, often enough."""
    runner = world.runners[fault.target]
    with runner.lock, world.stage.disturbing(fault.target, fault.kind, settle=1.0):
        _freeze(runner, fault)


def _freeze(process: Owned, fault: Fault) -> None:
    process.freeze()
    time.sleep(fault.seconds)
    process.thaw()


def kill_runner(world: World, fault: Fault) -> None:
    """Its script lives on until the next runner of this home begins, and ends it."""
    runner = world.runners[fault.target]
    with runner.lock, world.stage.disturbing(fault.target, fault.kind):
        runner.kill()
        time.sleep(fault.seconds)
        runner.start()


def kill_postgres(world: World, fault: Fault) -> None:
    server = world.database.server
    assert server is not None, "there is no database server to kill"
    with _keeping_all_from_work(world, fault, "database", server):
        server.kill()
        server.start()


def fill_disk(world: World, fault: Fault) -> None:
    """The database and the server's files lie on a disk without room for a while."""
    with _keeping_all_from_work(world, fault, "database", world.server, world.worker):
        world.server.revive()
        world.stage.disk.fill()
        time.sleep(fault.seconds)
        world.stage.disk.free()


def step_clock(world: World, fault: Fault) -> None:
    """Forth or back by an hour or a day, never farther than that. Nobody who would see it is killed meanwhile."""
    with world.server.lock, world.worker.lock, world.stage.disturbing("clock", fault.kind):
        world.server.revive()
        world.clock.set(0 if world.clock.step else STEPS[int(fault.choice * len(STEPS))])
        time.sleep(2 * world.terms.sweep_seconds)


def poison(world: World, fault: Fault) -> None:
    link = world.links[fault.target]
    link.poison(fault.kind.removeprefix("net-"), UP if fault.choice < 0.5 else DOWN, fault.seconds / 4)
    time.sleep(fault.seconds)
    link.heal()
