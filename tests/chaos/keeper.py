"""A supervisor, as every installation has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .actors import Actor

if TYPE_CHECKING:
    from .world import World

KEEP_SECONDS = 0.5


class Keeper(Actor):
    """Starts the worker again where it has ended by itself: it does if the database is away when it starts."""

    def __init__(self, world: World) -> None:
        super().__init__("keeper")
        self._world = world

    def act(self) -> None:
        self.closing.wait(KEEP_SECONDS)
        worker = self._world.worker
        with worker.lock:
            if worker.has_ended:
                with self._world.stage.disturbing("worker", "ended"):
                    worker.start()
