"""Where a user is signed in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bvo.database import db, utcnow
from bvo.session_store import UserSession
from bvo_hookspecs import DetailPanel

MAX_SESSIONS = 20


def sessions_panel(user_id: int) -> dict[str, Any]:
    """The sessions that still hold, along the index of a user's sessions."""
    holding = select(UserSession).where(UserSession.user_id == user_id, UserSession.expires_at > utcnow())
    found = db.session.scalars(holding.order_by(UserSession.id.desc()).limit(MAX_SESSIONS + 1)).all()
    return {"user_id": user_id, "sessions": found[:MAX_SESSIONS], "more": len(found) > MAX_SESSIONS}


PANELS = (
    DetailPanel(
        name="user_sessions",
        entity_type="user",
        title="Sessions",
        template="bvo_auth/sessions_panel.html",
        context=sessions_panel,
        order=20,
        permission="sessions:view",
    ),
)
