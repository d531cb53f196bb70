"""The wall clock of the servers, set wrong. Their monotonic clock stays right, as where a machine's time is set."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class WallClock:
    """`step`: by how many seconds it is wrong now. Every process with its `variables` follows at the same moment."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, step: int) -> None:
        self.step = step
        new = self._file.with_suffix(".new")
        new.write_text(str(step), encoding="ascii")
        new.replace(self._file)

    def variables(self) -> dict[str, Any]:
        return {"CHAOS_CLOCK": self._file}
