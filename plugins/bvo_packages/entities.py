"""The entity type `package`."""

from __future__ import annotations

from marshmallow import fields

from bvo.entities import equals, everything, flag, search
from bvo.event_types import of_change
from bvo_hookspecs import Action, EntityType, NavItem

from .models import Package
from .schemas import PackageIn, PackageOut
from .service import PackageService

PACKAGE = EntityType(
    name="package",
    plural="packages",
    label="Package",
    model=Package,
    read_schema=PackageOut,
    write_schema=PackageIn,
    service=PackageService,
    scope=everything,
    columns=("id", "name", "version", "is_active", "size_bytes", "created_at"),
    actions=(
        Action(
            name="deactivate",
            label="Deactivate",
            confirm="Deactivate this package? Its processes start no new jobs until it is active again.",
            applies=lambda package: bool(package["is_active"]),
        ),
        Action(name="activate", label="Activate", applies=lambda package: not package["is_active"]),
    ),
    filters=(search(Package.name), equals(Package.name, fields.String()), flag("active_only", Package.is_active)),
    nav=NavItem(name="packages", label="Packages", order=30),
)

EVENT_TYPES = (
    of_change(
        "package",
        "created",
        help="Package was uploaded.",
        schema=PackageOut,
    ),
)
