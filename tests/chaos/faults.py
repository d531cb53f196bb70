"""What is injected, and when: drawn from a seed, so that a run can be repeated. Only the timing differs then."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import injections
from .proxy import TOXICS

if TYPE_CHECKING:
    from .world import World

POSTGRES, DISK = "postgres", "disk"
PAUSE_SECONDS = 0.3
"""The mean time between two faults."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`seconds`: how long it lasts, or how late a thing is; `choice`: a number from 0 to 1 for what else is drawn."""

    number: int
    kind: str
    target: str
    pause: float
    seconds: float
    choice: float

    def __str__(self) -> str:
        return f"#{self.number} {self.kind} {self.target} {self.seconds:.2f} s"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How often it comes, how long it lasts at most, whom it may hit, and how it is done."""

    weight: int
    most: float
    targets: tuple[str, ...]
    inject: Callable[[World, Fault], None]
    needs: str = ""


def schedule(seed: str, count: int, world: World) -> list[Fault]:
    """The faults of a run."""
    chance = random.Random(seed)
    present = _present(world)
    kinds = {name: kind for name, kind in KINDS.items() if kind.needs in present}
    names = chance.choices(list(kinds), [kind.weight for kind in kinds.values()], k=count)
    return [
        Fault(
            number=number,
            kind=name,
            target=chance.choice([target for target in kinds[name].targets if _exists(target, world)]),
            pause=chance.uniform(0, 2 * PAUSE_SECONDS),
            seconds=chance.uniform(0.2, kinds[name].most),
            choice=chance.random(),
        )
        for number, name in enumerate(names, 1)
    ]


def inject(world: World, fault: Fault) -> None:
    """Do it, and undo it after its time."""
    KINDS[fault.kind].inject(world, fault)


def left_out(world: World) -> list[str]:
    """The kinds of faults that this machine does not let us inject."""
    sqlite = world.database.server is None
    return [name for name, kind in KINDS.items() if kind.needs == DISK and sqlite and DISK not in _present(world)]


def _present(world: World) -> set[str]:
    """What faults may need."""
    if world.database.server:
        return {"", POSTGRES}
    return {"", DISK} if world.stage.disk.is_own else {""}


def _exists(target: str, world: World) -> bool:
    return not target.startswith("runner") or target in world.runners


RUNNERS = ("runner-1", "runner-2")
ROBOT_LINKS = ("robots-1", "robots-2", "robots-3", "robots-4")
CLIENT_LINKS = ("clients-1", "clients-2")
LINKS = (*ROBOT_LINKS, *CLIENT_LINKS, *RUNNERS)

KINDS = {
    "kill-server": Kind(weight=4, most=1, targets=("server",), inject=injections.kill_server),
    "kill-web-worker": Kind(weight=3, most=1, targets=("server",), inject=injections.kill_web_worker),
    "kill-worker": Kind(weight=4, most=1, targets=("worker", "server"), inject=injections.kill_worker),
    "kill-runner": Kind(weight=7, most=3, targets=RUNNERS, inject=injections.kill_runner),
    "kill-postgres": Kind(weight=7, most=1, targets=("database",), inject=injections.kill_postgres, needs=POSTGRES),
    "freeze-server": Kind(weight=2, most=2, targets=("server",), inject=injections.freeze_server),
    "freeze-worker": Kind(weight=3, most=4, targets=("worker",), inject=injections.freeze_worker),
    "freeze-runner": Kind(weight=8, most=6, targets=RUNNERS, inject=injections.freeze_runner),
    "full-disk": Kind(weight=3, most=2, targets=("server",), inject=injections.fill_disk, needs=DISK),
    "step-clock": Kind(weight=3, most=1, targets=("clock",), inject=injections.step_clock),
    **{f"net-{toxic}": Kind(weight=10, most=3, targets=LINKS, inject=injections.poison) for toxic in TOXICS},
}
