"""A login of a tool, from its start until its token was handed out."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bvo.database import Base, utcnow

PENDING, CONFIRMED, DENIED, DELIVERED = "pending", "confirmed", "denied", "delivered"


class SdkSession(Base):
    """Of the session's id, which is a secret, only the digest is kept."""

    __tablename__ = "sdk_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_hash: Mapped[str] = mapped_column(unique=True)
    machine_name: Mapped[str]
    user_code: Mapped[str]
    code_challenge: Mapped[str | None]
    ip_address: Mapped[str | None]
    status: Mapped[str] = mapped_column(default=PENDING)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(index=True)

    @property
    def name(self) -> str:
        return self.machine_name
