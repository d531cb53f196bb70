"""An API token's table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bvo.database import Base, utcnow
from bvo_access.models import User


class ApiToken(Base):
    """Lets a program act for a user, within `scopes`. Never changed, only revoked: then its row is deleted.

    Of the token only the digest is kept, and `prefix`, by which people recognise it. `created_by` is a user name.
    """

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    prefix: Mapped[str]
    scopes: Mapped[list[str]]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    last_used_ip: Mapped[str | None]
    user: Mapped[User] = relationship(lazy="joined")
