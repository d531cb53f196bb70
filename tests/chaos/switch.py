"""Reaches into running processes: plants bugs into them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "planted"


class Switch:
    """A file that names the bug to have, and the answers of processes beside it. `moves`: they follow later turns."""

    def __init__(self, folder: Path, bug: str, *, moves: bool) -> None:
        self._moves = moves
        folder.mkdir()
        self._file = folder / "switch"
        self.turn(bug)

    def turn(self, bug: str) -> None:
        """Which bug the processes have from now on; none where it is empty."""
        self.bug = bug
        temporary = self._file.with_suffix(".new")
        temporary.write_text(bug, encoding="ascii")
        temporary.replace(self._file)

    def is_followed(self, pids: list[int]) -> bool:
        """True as soon as all these processes have it."""
        told = [self._file.with_name(f"{self._file.name}.{pid}") for pid in pids]
        return all(file.exists() and file.read_text(encoding="ascii") == self.bug for file in told)

    def variables(self) -> dict[str, Any]:
        """What a process needs in its environment to follow."""
        path = os.pathsep.join(filter(None, [str(FOLDER), os.environ.get("PYTHONPATH")]))
        follows = {"CHAOS_FOLLOWS": 1} if self._moves else {}
        return {"PYTHONPATH": path, "CHAOS_SWITCH": self._file, **follows}
