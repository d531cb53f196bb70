"""The entity type `asset`."""

from __future__ import annotations

from marshmallow.validate import OneOf

from bvo.entities import equals, everything, search
from bvo_hookspecs import EntityType, NavItem

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
