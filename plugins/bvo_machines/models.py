"""A machine's table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from bvo.database import Base, Timestamps


class Machine(Base, Timestamps):
    """A host of robots. Of its key only the digest is kept; the robots plugin adds `robot_count`."""

    __tablename__ = "machines"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    mode: Mapped[str]
    status: Mapped[str] = mapped_column(default="disconnected")
    last_seen_at: Mapped[datetime | None]
    machine_key_hash: Mapped[str | None] = mapped_column(unique=True)
