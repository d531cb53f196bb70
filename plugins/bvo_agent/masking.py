"""Keeps the secrets that a script was given out of all that the runner sends or writes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any

MASK = "***"
SHORTEST = 4
"""Characters. A shorter secret is not masked: the mask would tear other words apart, and tell where it stands."""

HEAD = 8
Span = tuple[int, int]


class Masks:
    """The secrets of one job. They are added while others read: a reader takes `secrets` once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.secrets: frozenset[str] = frozenset()

    def add(self, secret: str) -> None:
        """Masks a secret and each line of it, as they are and as JSON or Python write them within quotes."""
        pieces = {piece.strip() for piece in (secret, *secret.splitlines())}
        forms = {form for piece in pieces if len(piece) >= SHORTEST for form in _forms(piece)}
        with self._lock:
            self.secrets |= forms

    def text(self, text: str) -> str:
        """A text that is whole."""
        return _masked(text, 0, _runs(_found(text, self.secrets)))

    def value(self, value: Any) -> Any:
        """A JSON value: its texts, its keys, and the numbers that are a secret."""
        if not self.secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.value(each) for each in value]
        return MASK if str(value) in self.secrets else value


class MaskedStream:
    """Masks a text that comes in pieces. The end of a piece that may begin a secret waits for the next one."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        self._held = ""
        self._told = 0
        """How much of what is held belongs to a secret whose mask was already returned."""

    def feed(self, piece: str, final: bool = False) -> str:
        """What can be shown of the text so far. With `final` nothing waits, and a begun secret is masked, too."""
        secrets = self._masks.secrets
        if not secrets:
            return piece
        text = self._held + piece
        end = min(_begun(text, secret) for secret in secrets)
        found = _found(text, secrets)
        if final and len(text) - end >= SHORTEST:
            found.append((end, len(text)))
        end = len(text) if final else end
        runs = _runs([(0, self._told), *found] if self._told else found)
        runs = [run for run in runs if run[0] < end]
        shown = _masked(text[: max([end, *(stop for _, stop in runs)])], self._told, runs)
        self._held, self._told = text[end:], max([0, self._told - end, *(stop - end for _, stop in runs)])
        return shown


def _forms(piece: str) -> set[str]:
    quoted = (json.dumps(piece), json.dumps(piece, ensure_ascii=False), repr(piece))
    return {piece, *(each[1:-1] for each in quoted)}


def _found(text: str, secrets: Iterable[str]) -> list[Span]:
    """Where secrets stand, overlapping ones included."""
    found = []
    for secret in secrets:
        at = text.find(secret)
        while at >= 0:
            found.append((at, at + len(secret)))
            at = text.find(secret, at + 1)
    return found


def _runs(spans: list[Span]) -> list[Span]:
    """The same places in order, with those that overlap made one."""
    runs: list[Span] = []
    for start, stop in sorted(spans):
        if runs and start < runs[-1][1]:
            runs[-1] = runs[-1][0], max(stop, runs[-1][1])
        else:
            runs.append((start, stop))
    return runs


def _masked(text: str, told: int, runs: list[Span]) -> str:
    """The text with a mask for each run; a run at the start of `told` characters has its mask already."""
    shown, at = [], 0
    for start, stop in runs:
        shown += [text[at:start], "" if told and not start else MASK]
        at = stop
    return "".join([*shown, text[at:]])


def _begun(text: str, secret: str) -> int:
    """Where the longest end of `text` starts with which `secret` begins; the text's length where there is none."""
    head, at = secret[:HEAD], max(0, len(text) - len(secret) + 1)
    while (at := text.find(head, at)) >= 0:
        if secret.startswith(text[at:]):
            return at
        at += 1
    for length in range(min(HEAD, len(secret)) - 1, 0, -1):
        if text.endswith(secret[:length]):
            return len(text) - length
    return len(text)
