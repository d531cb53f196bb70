"""The entity types `webhook` and `webhook_delivery`."""

from __future__ import annotations

from marshmallow import fields, validate

from bvo.entities import equals, everything, flag, search
from bvo_hookspecs import Action, EntityType, EventType, NavItem

from .models import PENDING, STATES, Webhook, WebhookDelivery
from .schemas import DeliveryOut, WebhookIn, WebhookOut
from .service import DeliveryService, WebhookService

ID = validate.Range(1, 2**31 - 1)

WEBHOOK = EntityType(
    name="webhook",
    plural="webhooks",
    label="Webhook",
    model=Webhook,
    read_schema=WebhookOut,
    write_schema=WebhookIn,
    service=WebhookService,
    scope=everything,
    columns=("id", "name", "url", "event_types", "is_active", "failing_since"),
    filters=(search(Webhook.name, Webhook.url), flag("is_active", Webhook.is_active)),
    actions=(
        Action(name="test", label="Send a test", applies=lambda row: bool(row["is_active"])),
        Action(
            name="redeliver",
            label="Redeliver failed",
            confirm="Send everything once more that it has not taken?",
            applies=lambda row: bool(row["is_active"]),
        ),
        Action(
            name="rotate_secret",
            label="Rotate secret",
            confirm="Make a new secret? For a day, requests are signed with the old one, too.",
            bulk=False,
        ),
    ),
    secrets=frozenset({"secret"}),
    nav=NavItem(name="webhooks", label="Webhooks", order=85),
)
DELIVERY = EntityType(
    name="webhook_delivery",
    plural="webhook_deliveries",
    label="Delivery",
    model=WebhookDelivery,
    read_schema=DeliveryOut,
    service=DeliveryService,
    scope=everything,
    columns=("id", "webhook", "event_type", "subject", "status", "attempt", "response_status", "finished_at"),
    filters=(
        equals(WebhookDelivery.webhook_id, fields.Integer(validate=ID)),
        equals(WebhookDelivery.status, fields.String(validate=validate.OneOf(STATES))),
        equals(WebhookDelivery.event_type, fields.String()),
    ),
    actions=(Action(name="redeliver", label="Send again", applies=lambda row: row["status"] != PENDING),),
    nav=NavItem(name="webhook_deliveries", label="Deliveries", order=86),
)

EVENT_TYPES = (
    EventType(
        name="webhook.tested",
        help="Somebody wanted a test to be sent to the webhook. It alone gets it.",
        schema=WebhookOut,
    ),
    EventType(
        name="webhook.secret_rotated",
        help="The webhook has a new secret. For a day, the one before signs, too.",
        schema=WebhookOut,
    ),
    EventType(
        name="webhook.disabled",
        help="The server has stopped sending to the webhook. `disabled_reason` says why.",
        schema=WebhookOut,
        example={"is_active": False, "disabled_reason": "It answered 410: it is gone."},
    ),
    EventType(
        name="webhook.redelivered",
        help="Somebody had one delivery, those that failed, or all since a time sent once more.",
        schema=WebhookOut,
        metadata={
            "since": fields.AwareDateTime(),
            "delivery_id": fields.Integer(),
            "event_type": fields.String(),
        },
    ),
)
