"""Replaces parts of the product inside of a running process, and puts them back."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

Plant = Callable[["Patch"], None]
BUGS: dict[str, Plant] = {}


class Patch:
    """Replaces attributes, and puts them back."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def plant(self, name: str) -> None:
        if name:
            BUGS[name](self)

    def set(self, place: str, value: Any) -> Any:
        """Replace `module:attribute` (or `module:class.attribute`); returns what it was."""
        module, _, path = place.partition(":")
        *classes, name = path.split(".")
        owner = importlib.import_module(module)
        for each in classes:
            owner = getattr(owner, each)
        before = getattr(owner, name)
        self._before.append((owner, name, before))
        setattr(owner, name, value)
        return before

    def undo(self) -> None:
        while self._before:
            setattr(*self._before.pop())


PATCH = Patch()
"""The one of this process."""


def bug(plant: Plant) -> Plant:
    BUGS[plant.__name__.replace("_", "-")] = plant
    return plant
