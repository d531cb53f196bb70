"""The start log: what scripts themselves told, outside of the server, of their starts and ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .world import World


TOLD = "told.jsonl"


@dataclass(frozen=True, kw_only=True)
class Start:
    """A script that a real runner has started. Times are monotonic; `ended` is set where it came to its end itself."""

    job: int
    pid: int
    runner: str
    at: float
    last_sign: float
    ended: float | None


def starts(world: World) -> list[Start]:
    """All of them, in their order."""
    ends = {(line["job"], line["pid"]): line["at"] for line in lines(world, "ends.jsonl")}
    found = [_start(world, line, ends.get((line["job"], line["pid"]))) for line in lines(world, "starts.jsonl")]
    return sorted(found, key=lambda start: start.at)


def told(world: World) -> list[dict[str, Any]]:
    """What the listener was told."""
    return lines(world, TOLD)


def _start(world: World, line: dict[str, Any], ended: float | None) -> Start:
    life = world.starts / f"{line['job']}-{line['pid']}.life"
    text = life.read_text(encoding="ascii").strip() if life.exists() else ""
    return Start(
        job=line["job"],
        pid=line["pid"],
        runner=next((name for name in world.runners if f"/{name}/" in line["folder"]), ""),
        at=line["at"],
        last_sign=ended or float(text or line["at"]),
        ended=ended,
    )


def lines(world: World, name: str) -> list[dict[str, Any]]:
    """What scripts told one of their files."""
    file = world.starts / name
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
