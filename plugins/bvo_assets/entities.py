"""The entity type `asset`."""

from __future__ import annotations

from marshmallow import fields
from marshmallow.validate import OneOf

from bvo.entities import equals, everything, search
from bvo.event_types import of_change
from bvo_hookspecs import EntityType, EventType, NavItem

from .models import Asset
from .schemas import LABELS, TYPES, AssetIn, AssetOut, AssetType
from .service import AssetService

ASSET = EntityType(
    name="asset",
    plural="assets",
    label="Asset",
    model=Asset,
    read_schema=AssetOut,
    write_schema=AssetIn,
    service=AssetService,
    scope=everything,
    columns=("id", "name", "type", "value", "description", "updated_at"),
    filters=(
        search(Asset.name, Asset.description),
        equals(Asset.type, AssetType(validate=OneOf(TYPES, labels=LABELS))),
    ),
    principals={"list": ("user", "token", "sdk")},
    nav=NavItem(name="assets", label="Assets", order=55),
)

EVENT_TYPES = (
    of_change(
        "asset",
        "updated",
        help="Asset was changed. Of a new secret it is told that there is one.",
        schema=AssetOut,
        metadata={"secret_changed": fields.Boolean()},
    ),
    EventType(
        name="asset.revealed",
        help="A running job was given the secret.",
        schema=AssetOut,
        metadata={"job_id": fields.Integer(), "attempt": fields.Integer()},
    ),
    EventType(
        name="asset.reveal_refused", action_type="denied", help="A robot asked for an asset that it may not have."
    ),
)
