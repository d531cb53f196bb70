"""The dashboard's card about what happened last."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bvo.database import db
from bvo.event_log import LoggedEvent
from bvo_hookspecs import DashboardCard

EVENTS = 8


def activity() -> dict[str, Any]:
    newest = select(LoggedEvent).order_by(LoggedEvent.timestamp.desc(), LoggedEvent.id.desc()).limit(EVENTS)
    return {"events": db.session.scalars(newest).all()}


CARD = DashboardCard(
    name="activity",
    title="Recent activity",
    template="bvo_audit/activity_card.html",
    context=activity,
    permission="audit:view",
    order=40,
)
