"""An asset's table."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bvo.database import Base, Timestamps
from bvo_processes.models import Process

MASK = "***"


class AssetProcess(Base):
    """That an asset is for the jobs of a process."""

    __tablename__ = "asset_processes"

    asset_id: Mapped[int] = mapped_column(ForeignKey("assets.id", ondelete="CASCADE"), primary_key=True)
    process_id: Mapped[int] = mapped_column(
        ForeignKey("processes.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Asset(Base, Timestamps):
    """A value under a name. Of a secret or a credential only `secret`, encrypted, is kept.

    Without `processes` the jobs of every process may use it.
    """

    __tablename__ = "assets"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str]
    description: Mapped[str | None]
    plain_value: Mapped[str | None]
    username: Mapped[str | None]
    secret: Mapped[str | None]
    processes: Mapped[list[Process]] = relationship(secondary="asset_processes", lazy="selectin")

    @property
    def is_secret(self) -> bool:
        return self.type in ("secret", "credential")

    @property
    def value(self) -> str | None:
        return MASK if self.is_secret else self.plain_value

    @property
    def process_ids(self) -> list[int]:
        return sorted(process.id for process in self.processes)
