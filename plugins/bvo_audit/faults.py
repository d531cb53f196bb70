"""What does not fit: whether seals follow each other, and what was done to the events of a stretch."""

from __future__ import annotations

from dataclasses import dataclass

from . import canonical
from .canonical import VERSION, Tally
from .models import AuditSeal

MESSAGES = {
    "event_edited": "Event {} was edited.",
    "event_deleted": "Event {} was deleted.",
    "event_added": "Event {} was added.",
    "events_renumbered": "Events were renumbered or put into another order, from {} on.",
}


@dataclass(frozen=True)
class Fault:
    """The first thing that does not fit. `seal` and `place` are where, as far as that can be told."""

    kind: str
    message: str
    seal: int | None = None
    place: int | None = None


@dataclass
class Chain:
    """Follows the seals in their order. It begins with the number 1, behind no other, or in the middle."""

    number: int = 1
    previous: str = ""
    place: int | None = None

    def follow(self, seal: AuditSeal) -> Fault | None:
        """What is wrong with the next seal, if it is not the one that belongs here."""
        if seal.id != self.number:
            missing = f"Seal {self.number} was removed: behind it is seal {seal.id}."
            return Fault("seal_removed", missing, self.number, self.place)
        if seal.version != VERSION:
            unknown = f"Seal {seal.id} has the version {seal.version}: it was changed, or this program is too old."
            return Fault("seal_changed", unknown, seal.id, seal.first)
        if canonical.hash_of(seal) != seal.hash:
            return Fault("seal_changed", f"Seal {seal.id} was changed.", seal.id, seal.first)
        if seal.previous_hash != self.previous or self.place not in (None, seal.first):
            other = f"Seal {seal.id} follows another seal than the one that is there now: one of the two was changed."
            return Fault("seal_changed", other, seal.id, seal.first)
        self.number, self.previous, self.place = seal.id + 1, seal.hash, seal.last + 1
        return None


def compare(seal: AuditSeal, tally: Tally) -> Fault:
    """What was done to the events of a stretch that does not fit its seal."""
    if not tally.count:
        gone = (
            f"Every event from {seal.first} to {seal.last} was deleted, and they are not old enough for that."
            " Where the log was kept for a shorter time before, give that time with --kept-days."
        )
        return Fault("event_deleted", gone, seal.id, seal.first)
    expected, found = dict(canonical.marks(seal.fingerprints or b"")), dict(canonical.marks(tally.fingerprints))
    differing = [place for place in sorted(expected | found) if expected.get(place) != found.get(place)]
    if not expected or not differing:
        return _by_number(seal, tally)
    place = differing[0]
    kind = _kind(expected.get(place), found.get(place), _at(expected, differing), _at(found, differing))
    return Fault(kind, MESSAGES[kind].format(place), seal.id, place)


def _at(marks: dict[int, bytes], places: list[int]) -> set[bytes]:
    return {marks[place] for place in places if place in marks}


def _kind(was: bytes | None, is_: bytes | None, expected: set[bytes], found: set[bytes]) -> str:
    """What was done at the first place that differs; the sets are what was and is at any such place."""
    if was and was not in found:
        return "event_edited" if is_ and is_ not in expected else "event_deleted"
    return "event_added" if is_ and is_ not in expected else "events_renumbered"


def _by_number(seal: AuditSeal, tally: Tally) -> Fault:
    """Where nothing tells the events apart, only how many there are."""
    kind = "deleted" if tally.count < seal.count else "added" if tally.count > seal.count else "edited"
    message = f"Of the events from {seal.first} to {seal.last}, at least one was {kind}."
    return Fault(f"event_{kind}", message, seal.id, seal.first)
