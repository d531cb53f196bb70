"""What the clients did and were told: a log that is only added to. The oracle judges by it."""

from __future__ import annotations

import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"
"""Carried out; certainly not carried out; nobody knows: the answer was lost, or the server failed on the way."""


@dataclass
class Call:
    """One request. Times are seconds of the machine's monotonic clock.

    What is unknown may take effect at any time after `sent_at`, also after `answered_at`, when its client gave up.
    """

    number: int
    who: str
    kind: str
    details: dict[str, Any]
    sent_at: float = field(default_factory=time.monotonic)
    answered_at: float = float("inf")
    outcome: str = UNKNOWN
    status: int | None = None
    answer: Any = None

    @property
    def ok(self) -> bool:
        return self.outcome == OK

    def get(self, name: str) -> Any:
        return self.details.get(name)


class History:
    """Every call of a run, in memory and, line by line, in a file: one line when it is sent, one when it ends."""

    def __init__(self, file: Path) -> None:
        self.calls: list[Call] = []
        self.carried_out = 0
        """How many calls certainly were."""
        self._lines = file.open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def send(self, who: str, kind: str, **details: Any) -> Call:
        with self._lock:
            call = Call(next(self._numbers), who, kind, details)
            self.calls.append(call)
            self._write({"call": call.number, "at": call.sent_at, "who": who, "kind": kind, **details})
        return call

    def end(self, call: Call, outcome: str, status: int | None = None, answer: Any = None) -> Call:
        with self._lock:
            call.answered_at, call.outcome, call.status, call.answer = time.monotonic(), outcome, status, answer
            self.carried_out += call.ok
            line = {"call": call.number, "at": call.answered_at, "outcome": outcome, "status": status, "answer": answer}
            self._write(line)
        return call

    def close(self) -> None:
        with self._lock:
            self._lines.close()

    def _write(self, line: dict[str, Any]) -> None:
        if not self._lines.closed:
            self._lines.write(json.dumps(line, default=str) + "\n")
