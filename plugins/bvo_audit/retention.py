"""How long the audit log is kept: for ever, unless the settings say otherwise."""

from __future__ import annotations

import logging
from datetime import timedelta

from marshmallow import ValidationError, fields, validate
from sqlalchemy import delete, select

from bvo import delivery, settings
from bvo.database import transaction, utcnow
from bvo.event_log import LoggedEvent
from bvo_hookspecs import Setting, SettingsGroup

log = logging.getLogger(__name__)

BATCH = 1000
BATCHES = 10
"""At most so many a run, so that the worker soon delivers events again."""
MIN_DAYS = 30


def _not_at_once(days: int) -> None:
    """Nobody who may change settings removes what they did a moment ago."""
    if 0 < days < MIN_DAYS:
        raise ValidationError(f"Use 0 for ever, or at least {MIN_DAYS} days.")


GROUP = SettingsGroup(
    name="logging",
    label="Logging",
    settings=(
        Setting(
            name="audit_retention_days",
            field=fields.Integer(strict=True, validate=(validate.Range(0, 36_500), _not_at_once)),
            default=0,
            unit="days",
            help="How long the audit log is kept, at least 30 days. 0: for ever.",
        ),
    ),
)


def prune() -> None:
    """Remove what is older than the settings keep and was delivered to all, in small transactions."""
    days = settings.get("logging.audit_retention_days")
    if not days:
        return
    old = select(LoggedEvent.id).where(LoggedEvent.timestamp < utcnow() - timedelta(days=days))
    if (needed := delivery.needed_from()) is not None:
        old = old.where(LoggedEvent.id < needed)
    batch = old.order_by(LoggedEvent.timestamp).limit(BATCH)
    removed = 0
    for _ in range(BATCHES):
        with transaction() as session:
            removing = delete(LoggedEvent).where(LoggedEvent.id.in_(batch))
            done = session.execute(removing.execution_options(synchronize_session=False))
            count: int = done.rowcount  # type: ignore[attr-defined]
        removed += count
        if count < BATCH:
            break
    if removed:
        log.info("Removed %d events older than %d days from the audit log", removed, days)
