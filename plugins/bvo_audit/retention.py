"""How long the audit log is kept: for ever, unless the settings say otherwise."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from marshmallow import ValidationError, fields, validate
from sqlalchemy import Select, delete, func, select

from bvo import consumers, settings
from bvo.database import transaction, utcnow
from bvo.event_log import LoggedEvent
from bvo_hookspecs import Setting, SettingsGroup

from .models import AuditSeal

log = logging.getLogger(__name__)

SECONDS = 1.0
"""So long at most a run removes events, so that the worker soon delivers them again."""
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
    """Remove what is older than the settings keep and was delivered to all: whole sealed stretches, one at a time."""
    days = settings.get("logging.audit_retention_days")
    if not days:
        return
    old, until, removed = _old(days), time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        with transaction() as session:
            seal = session.scalars(old).one_or_none()
            if seal is None:
                break
            removing = delete(LoggedEvent).where(LoggedEvent.id >= seal.first, LoggedEvent.id <= seal.last)
            session.execute(removing.execution_options(synchronize_session=False))
            seal.fingerprints = None
        removed += seal.count
    if removed:
        log.info("Removed %d events older than %d days from the audit log", removed, days)


def _old(days: int) -> Select[AuditSeal]:
    """The oldest seal of which all events may go. The newest event stays: SQLite counts on from it."""
    newest = select(func.max(LoggedEvent.id)).scalar_subquery()
    old = select(AuditSeal).where(AuditSeal.fingerprints.is_not(None), AuditSeal.last < newest)
    old = old.where(AuditSeal.newest < utcnow() - timedelta(days=days))
    if (needed := consumers.needed_from()) is not None:
        old = old.where(AuditSeal.last < needed)
    return old.order_by(AuditSeal.newest).limit(1)
