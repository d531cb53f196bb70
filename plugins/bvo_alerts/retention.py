"""For how long alerts are kept that were resolved."""

from __future__ import annotations

from datetime import timedelta

from marshmallow import fields, validate
from sqlalchemy import delete, select

from bvo import settings
from bvo.database import transaction, utcnow
from bvo_hookspecs import Setting, SettingsGroup

from .models import Alert

BATCH = 1000

GROUP = SettingsGroup(
    name="logging",
    label="Logging",
    settings=(
        Setting(
            name="alert_days",
            field=fields.Integer(strict=True, validate=validate.Range(1, 3650)),
            default=90,
            unit="days",
            help="How long alerts are kept after they were resolved. Those that are open are kept until then.",
        ),
    ),
)


def prune() -> None:
    """Remove some of the alerts that were resolved longer ago than the settings keep them."""
    limit = utcnow() - timedelta(days=settings.get("logging.alert_days"))
    old = select(Alert.id).where(Alert.resolved_at < limit).order_by(Alert.resolved_at).limit(BATCH)
    with transaction() as session:
        session.execute(delete(Alert).where(Alert.id.in_(old)).execution_options(synchronize_session=False))
