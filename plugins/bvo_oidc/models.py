"""Who at the provider is which user here."""

from __future__ import annotations

from datetime import datetime

from marshmallow import fields
from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bvo.database import Base, utcnow
from bvo_access.schemas import UserOut
from bvo_hookspecs import EventType


class Identity(Base):
    """An account at a provider. Names and e-mail addresses change there and are given to others; this pair is not."""

    __tablename__ = "oidc_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


EVENT_TYPES = (
    EventType(
        name="user.identity_linked",
        help="An account at the OIDC provider signs in as this user from now on.",
        schema=UserOut,
        metadata={"issuer": fields.String(), "subject": fields.String()},
    ),
)
