"""A package's row; its zip lies in the store, under its digest."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bvo.database import Base, Timestamps


class Package(Base, Timestamps):
    """One version of a package. Name, version and content never change."""

    __tablename__ = "packages"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    scripts: Mapped[list[str]]
    sha256: Mapped[str] = mapped_column(index=True)
    size_bytes: Mapped[int]

    @property
    def store_key(self) -> str:
        return f"packages/{self.sha256}.zip"
