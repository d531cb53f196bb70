"""A robot's table, and what it adds to machines."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column

from bvo.database import Base, Timestamps
from bvo_machines.models import Machine


class Robot(Base, Timestamps):
    """A runner. Of its token only the digest is kept; the jobs plugin adds `current_job_id`."""

    __tablename__ = "robots"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(default="offline")
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machines.id"), index=True)
    machine_info: Mapped[str | None]
    credential_asset_id: Mapped[int | None]
    is_draining: Mapped[bool] = mapped_column(default=False)
    last_heartbeat: Mapped[datetime | None]
    api_token_hash: Mapped[str | None] = mapped_column(unique=True)


Machine.robot_count = column_property(
    select(func.count(Robot.id)).where(Robot.machine_id == Machine.id).correlate_except(Robot).scalar_subquery()
)
