"""Moving what the stores hold to another one, while servers run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import func, select

from bvo import registry
from bvo.database import db
from bvo_hookspecs import DamagedBlob, Store, StoredBlobs

BATCH = 100
THREADS = 8

Outcome = Literal["copied", "present", "gone", "missing", "damaged"]
"""`gone`: its row was deleted meanwhile. `missing`, `damaged`: no store has it whole."""


@dataclass(frozen=True)
class Blob:
    """What a row says of its blob."""

    model: type[Any]
    id: int
    key: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Move:
    """From `sources`, by their names, to `target`. With `delete`, the sources lose what the target was seen to have."""

    sources: Mapping[str, Store]
    target: Store
    delete: bool

    def run(self) -> Iterator[tuple[Blob, Outcome]]:
        """Move every blob, and tell what became of each. Safe to stop and repeat.

        Raises OSError where a store can't be read or written.
        """
        with ThreadPoolExecutor(THREADS) as pool:
            for blobs in _batches():
                whole = []
                for blob, outcome in zip(blobs, pool.map(self._ensure, blobs), strict=True):
                    if outcome in ("copied", "present"):
                        whole.append(blob)
                    yield blob, "gone" if outcome == "missing" and _is_gone(blob) else outcome
                if self.delete:  # not before: several rows of a batch may have the same blob
                    list(pool.map(self._delete, whole))

    def _ensure(self, blob: Blob) -> Outcome:
        states = [_state(self.target, blob)]
        if states == ["sound"]:
            return "present"
        for source in self.sources.values():
            states.append(_state(source, blob))
            if states[-1] == "sound":
                return self._copy(source, blob)
        return "damaged" if "damaged" in states else "missing"

    def _copy(self, source: Store, blob: Blob) -> Outcome:
        try:
            with source.open(blob.key) as file:
                self.target.put(blob.key, file)
        except FileNotFoundError:
            return "missing"
        state = _state(self.target, blob)
        if state == "damaged":
            raise OSError(f"{blob.key} is damaged where it was copied to")
        return "copied" if state == "sound" else "missing"

    def _delete(self, blob: Blob) -> None:
        for source in self.sources.values():
            source.delete(blob.key)


def count() -> int:
    """How many rows have a blob."""
    models = [record.model for record in registry.current().of(StoredBlobs).values()]
    return sum(db.session.scalar(select(func.count()).select_from(model)) or 0 for model in models)


def _batches() -> Iterator[list[Blob]]:
    for record in registry.current().of(StoredBlobs).values():
        model, last = record.model, 0
        query = select(model).order_by(model.id).limit(BATCH)
        while rows := db.session.scalars(query.where(model.id > last)).all():
            blobs = [Blob(model, row.id, row.store_key, row.sha256) for row in rows]
            last = blobs[-1].id
            db.session.rollback()  # blobs take long to copy: no transaction stays open meanwhile
            yield blobs


def _is_gone(blob: Blob) -> bool:
    row = db.session.get(blob.model, blob.id)
    gone = row is None or row.store_key != blob.key
    db.session.rollback()
    return gone


def _state(store: Store, blob: Blob) -> Literal["sound", "damaged", "missing"]:
    """The blob is read to its end: that it is there does not say that it is whole."""
    try:
        with store.open(blob.key) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except FileNotFoundError:
        return "missing"
    except DamagedBlob:
        return "damaged"
    return "sound" if sha256 == blob.sha256 else "damaged"
