"""A holiday's table."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bvo.database import Base, Timestamps


class Holiday(Base, Timestamps):
    """A day on which a region does not work; an empty region means everywhere."""

    __tablename__ = "holidays"
    __table_args__ = (UniqueConstraint("date", "name", "region"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    date: Mapped[dt.date]
    name: Mapped[str]
    region: Mapped[str]
