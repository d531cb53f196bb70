"""The seals of the event log, and the key that signs what is taken out of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from bvo.database import Base, BigId, utcnow

KEPT = text("fingerprints IS NOT NULL")


class AuditSeal(Base):
    """A seal of the events from the place `first` to the place `last`: it speaks for every place between.

    `id` is its number: they are counted from 1 without a gap, so of two workers only one makes each. `events_hash` is
    over the events, and `hash` over all of the seal, with the hash of the seal before it. `fingerprints` are outside of
    it: they only help to tell what was done to which event, and go with the events when these are old.
    """

    __tablename__ = "audit_seals"
    __table_args__ = (Index("ix_audit_seals_kept", "newest", postgresql_where=KEPT, sqlite_where=KEPT),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    version: Mapped[int]
    first: Mapped[int] = mapped_column(BigId)
    last: Mapped[int] = mapped_column(BigId)
    count: Mapped[int]
    oldest: Mapped[datetime]
    newest: Mapped[datetime]
    events_hash: Mapped[str]
    previous_hash: Mapped[str]
    sealed_at: Mapped[datetime]
    hash: Mapped[str]
    fingerprints: Mapped[bytes | None]


class AuditKey(Base):
    """The one key of this installation. The private half is encrypted with a key that is not in the database."""

    __tablename__ = "audit_keys"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    public_key: Mapped[str]
    private_key: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
