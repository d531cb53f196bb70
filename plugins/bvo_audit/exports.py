"""Exports: a part of the log as a file that can be checked without the database. Described in audit-log.md."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from sqlalchemy import ColumnElement, func, select

from bvo.database import db, utcnow
from bvo.event_log import LoggedEvent

from . import canonical, sealing, signing, verification
from .canonical import Tally, encode, moment
from .faults import Chain, Fault, compare
from .models import AuditSeal

VERSION = 1


@dataclass
class Content:
    """What is in an export. `removed` events had been too old to be kept when it was made."""

    seals: int = 0
    events: int = 0
    removed: int = 0
    first: int = 0
    last: int = 0
    sha256: str = ""
    key: str = ""
    fault: Fault | None = None

    def add(self, seal: AuditSeal, count: int) -> None:
        self.first = self.first if self.seals else seal.first
        self.last = seal.last
        self.seals += 1
        self.events += count
        self.removed += 0 if count else seal.count


@dataclass(frozen=True)
class Span:
    """Whole stretches, by the numbers of their seals, so that each seal can be checked."""

    where: tuple[ColumnElement[bool], ...]
    events: int
    since: datetime | None
    until: datetime | None


def span(since: datetime | None, until: datetime | None) -> Span:
    """All stretches that have to do with this time, and those between. Raises LookupError where there are none."""
    numbers = select(func.min(AuditSeal.id), func.max(AuditSeal.id))
    numbers = numbers.where(AuditSeal.newest >= since) if since else numbers
    first, last = db.session.execute(numbers.where(AuditSeal.oldest < until) if until else numbers).one()
    if first is None:
        raise LookupError("Nothing of this time is sealed.")
    where = (AuditSeal.id >= first, AuditSeal.id <= last)
    return Span(where, db.session.scalar(select(func.sum(AuditSeal.count)).where(*where)) or 0, since, until)


def write(file: BinaryIO, span: Span, progress: Callable[[int], None]) -> Content:
    """Write the export, event by event."""
    key, content, digest = signing.key(), Content(), hashlib.sha256()
    content.key = signing.public(key)

    def put(line: bytes) -> None:
        digest.update(line)
        file.write(line)

    for seals in verification.pages(*span.where):
        if not content.seals:
            put(_line(export=_head(seals[0], span)))
        for seal in seals:
            tally = Tally()
            for row in sealing.read(LoggedEvent.id >= seal.first, LoggedEvent.id <= seal.last):
                put(tally.add(row))
            put(_line(seal=canonical.told(seal), hash=seal.hash))
            content.add(seal, tally.count)
            progress(seal.count)
    content.sha256 = digest.hexdigest()
    file.write(_line(signature=signing.sign(key, digest.digest()), sha256=content.sha256, key=content.key))
    return content


def _head(first: AuditSeal, span: Span) -> dict[str, Any]:
    return {
        "version": VERSION,
        "since": moment(span.since) if span.since else None,
        "until": moment(span.until) if span.until else None,
        "made_at": moment(utcnow()),
        "number": first.id,
        "previous": first.previous_hash,
    }


def _line(**fields: Any) -> bytes:
    return f"{encode(fields)}\n".encode()


def check(lines: Iterable[bytes], key: str | None, progress: Callable[[int], None]) -> Content:
    """Check a file up to the first thing that does not fit. `key` is the public one that should have signed it."""
    reading = _Reading(key)
    for number, line in enumerate(lines, 1):
        try:
            fault = reading.take(line)
        except (AttributeError, LookupError, TypeError, ValueError):
            fault = Fault("file_changed", f"Line {number} is none of an export.")
        if fault:
            reading.content.fault = fault
            return reading.content
        progress(len(line))
    if not reading.content.key:
        reading.content.fault = Fault("file_cut_off", "The file does not end with a signature: its end is missing.")
    return reading.content


class _Reading:
    """An export as it is read, line by line. What is no line of an export raises something."""

    def __init__(self, key: str | None) -> None:
        self.content = Content()
        self._key = key
        self._digest = hashlib.sha256()
        self._chain: Chain | None = None
        self._tally = Tally()

    def take(self, line: bytes) -> Fault | None:
        told = json.loads(line)
        if self.content.key:
            return Fault("file_changed", "Something stands behind the signature.")
        if self._chain is None:
            self._begin(told["export"])
        elif "event" in told:
            self._tally.add_line(int(told["place"]), line)
        elif "seal" in told:
            return self._seal(canonical.seal_of(told["seal"], told["hash"]), line)
        else:
            return self._end(told)
        self._digest.update(line)
        return None

    def _begin(self, head: dict[str, Any]) -> None:
        if head["version"] != VERSION:
            raise ValueError
        self._chain = Chain(int(head["number"]), head["previous"])

    def _seal(self, seal: AuditSeal, line: bytes) -> Fault | None:
        self._digest.update(line)
        tally, self._tally = self._tally, Tally()
        fault = self._chain.follow(seal) if self._chain else None
        if fault is None and tally.count and not tally.fits(seal):
            fault = compare(seal, tally)
        self.content.add(seal, tally.count)
        return fault

    def _end(self, told: dict[str, str]) -> Fault | None:
        content, digest = self.content, self._digest
        content.sha256, content.key = digest.hexdigest(), told["key"]
        if self._tally.count:
            return Fault("event_added", f"Event {self._tally.first} has no seal.", place=self._tally.first)
        if told["sha256"] != content.sha256 or not signing.is_signed(content.key, told["signature"], digest.digest()):
            return Fault("file_changed", "The signature does not fit: the file was changed after it was made.")
        if self._key not in (None, content.key):
            return Fault("other_key", f"The file was signed with another key: {content.key}.")
        return None
