"""The dashboard's card about what happened last."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bvo.database import db
from bvo_hookspecs import DashboardCard

from .models import AuditEvent

EVENTS = 8


def activity() -> dict[str, Any]:
    newest = select(AuditEvent).order_by(AuditEvent.timestamp.desc(), AuditEvent.id.desc()).limit(EVENTS)
    return {"events": db.session.scalars(newest).all()}


CARD = DashboardCard(
    name="activity",
    title="Recent activity",
    template="bvo_audit/activity_card.html",
    context=activity,
    permission="audit:view",
    order=40,
)
