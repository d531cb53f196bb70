"""The settings of webhooks, and for how long what was sent is kept."""

from __future__ import annotations

from datetime import timedelta

from marshmallow import ValidationError, fields, validate
from sqlalchemy import delete, select

from bvo import settings
from bvo.database import transaction, utcnow
from bvo_hookspecs import Setting, SettingsGroup

from . import addresses
from .models import WebhookDelivery

BATCH = 1000


def _network(text: str) -> None:
    try:
        addresses.parse_networks([text])
    except ValueError as error:
        raise ValidationError(str(error)) from None


GROUPS = (
    SettingsGroup(
        name="security",
        label="Security",
        settings=(
            Setting(
                name="webhook_allowed_networks",
                field=fields.List(fields.String(validate=_network), validate=validate.Length(max=100)),
                default=[],
                help="Internal networks that webhooks may reach, such as 10.1.0.0/16. Without, only public addresses.",
            ),
        ),
    ),
    SettingsGroup(
        name="logging",
        label="Logging",
        settings=(
            Setting(
                name="webhook_delivery_days",
                field=fields.Integer(strict=True, validate=validate.Range(1, 365)),
                default=30,
                unit="days",
                help="How long it is kept what was sent to webhooks. What waits is kept until it was sent.",
            ),
        ),
    ),
)


def prune() -> None:
    """Remove some of the deliveries that ended longer ago than the settings keep them."""
    limit = utcnow() - timedelta(days=settings.get("logging.webhook_delivery_days"))
    old = select(WebhookDelivery.id).where(WebhookDelivery.finished_at < limit)
    batch = old.order_by(WebhookDelivery.finished_at).limit(BATCH)
    with transaction() as session:
        removing = delete(WebhookDelivery).where(WebhookDelivery.id.in_(batch))
        session.execute(removing.execution_options(synchronize_session=False))
