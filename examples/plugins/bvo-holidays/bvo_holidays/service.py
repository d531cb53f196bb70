"""Holidays: every change is a method, and one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from bvo.database import db, transaction, utcnow
from bvo.entities import Creates, Deletes, Updates

from .models import Holiday


class HolidayService(Creates[Holiday], Updates[Holiday], Deletes[Holiday]):
    def add_missing(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Create those that are not there yet: all of them, or after an error none. Returns how many were new."""
        with transaction() as session:
            new = [self.create(row) for row in rows if session.scalar(select(Holiday.id).filter_by(**row)) is None]
        return len(new)


def upcoming() -> dict[str, Any]:
    """For the dashboard: the next five, from today on (UTC)."""
    query = select(Holiday).where(Holiday.date >= utcnow().date()).order_by(Holiday.date, Holiday.name).limit(5)
    return {"holidays": db.session.scalars(query).all()}
