"""The canonical form of events and seals, and their hashes: the same on every database, described in audit-log.md.

What is written here may not change. An event with another column needs another VERSION beside this one.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bvo.event_log import TABLE

from .models import AuditSeal

VERSION = 1
FIELDS = (
    *("event_id", "type", "timestamp", "actor_kind", "actor_id", "actor_user_id", "actor_username", "ip_address"),
    *("user_agent", "action", "action_type", "entity_type", "entity_display", "entity_id", "entity_name", "message"),
    *("before_data", "after_data", "details"),
)
COLUMNS = [TABLE.c.id, *(TABLE.c[name] for name in FIELDS)]
"""What a `Tally` wants of a row, in this order."""

_MARK = struct.Struct(">q8s")
"""An event's place, and the beginning of the hash of what it says."""
_CONVERTED = (dict, list, float)

encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def moment(point: datetime) -> str:
    """A point in time, in UTC and with its microseconds: `2026-11-29T14:00:00.000000Z`."""
    return f"{point.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def plain(value: Any) -> Any:
    """A JSON value whose whole numbers are integers: databases differ in whether they keep the point of 1.0 or 1e16."""
    if isinstance(value, dict):
        return {name: plain(part) if isinstance(part, _CONVERTED) else part for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) if isinstance(part, _CONVERTED) else part for part in value]
    return int(Decimal(repr(value))) if isinstance(value, float) and value.is_integer() else value


def told(seal: AuditSeal) -> dict[str, Any]:
    """What a seal says: all but its own hash, and the fingerprints."""
    return {
        "version": seal.version,
        "number": seal.id,
        "first": seal.first,
        "last": seal.last,
        "count": seal.count,
        "oldest": moment(seal.oldest),
        "newest": moment(seal.newest),
        "events": seal.events_hash,
        "previous": seal.previous_hash,
        "sealed_at": moment(seal.sealed_at),
    }


def seal_of(told: dict[str, Any], hash_: str) -> AuditSeal:
    """The other way round. Raises LookupError, TypeError or ValueError for what no seal says."""
    times = {name: datetime.fromisoformat(told[name]) for name in ("oldest", "newest", "sealed_at")}
    numbers = {name: int(told[name]) for name in ("version", "first", "last", "count")}
    hashes = {"events_hash": told["events"], "previous_hash": told["previous"], "hash": hash_}
    return AuditSeal(id=int(told["number"]), **numbers, **times, **hashes)


def hash_of(seal: AuditSeal) -> str:
    """The hash that the seal should have."""
    return hashlib.sha256(encode(told(seal)).encode()).hexdigest()


@dataclass
class Tally:
    """The events of a stretch, taken in one after the other: what their seal says of them."""

    count: int = 0
    first: int = 0
    last: int = 0
    times: tuple[datetime, datetime] | None = None
    types: set[str] = field(default_factory=set)
    fingerprints: bytearray = field(default_factory=bytearray)
    _hash: Any = field(default_factory=hashlib.sha256)

    def add(self, row: Any) -> bytes:
        """Take in the next row of `COLUMNS`; returns its line."""
        place, *values = row
        told = dict(zip(FIELDS, values, strict=True))
        time = told["timestamp"]
        told["timestamp"] = moment(time)
        for name in ("before_data", "after_data", "details"):
            told[name] = plain(told[name])
        said = encode(told)
        self.fingerprints += _MARK.pack(place, hashlib.sha256(said.encode()).digest()[:8])
        self.times = (min(self.times[0], time), max(self.times[1], time)) if self.times else (time, time)
        self.types.add(told["type"])
        line = f'{{"event":{said},"place":{place}}}\n'.encode()
        self.add_line(place, line)
        return line

    def add_line(self, place: int, line: bytes) -> None:
        """Take in an event of which only the line is known."""
        self.first = self.first if self.count else place
        self.last = place
        self.count += 1
        self._hash.update(line)

    @property
    def events_hash(self) -> str:
        digest: str = self._hash.hexdigest()
        return digest

    def fits(self, seal: AuditSeal) -> bool:
        return self.events_hash == seal.events_hash


def marks(fingerprints: bytes | bytearray) -> Iterator[tuple[int, bytes]]:
    """Each place with the fingerprint of its event."""
    return _MARK.iter_unpack(fingerprints[: len(fingerprints) // _MARK.size * _MARK.size])
