"""The entity type `holiday`."""

from __future__ import annotations

from marshmallow import fields

from bvo.database import utcnow
from bvo.entities import equals, everything, search
from bvo_hookspecs import EntityType, Filter, NavItem

from .models import Holiday
from .schemas import HolidayIn, HolidayOut
from .service import HolidayService

UPCOMING = Filter(
    name="upcoming",
    field=fields.Boolean(metadata={"description": "True: from today on; false: before today"}),
    apply=lambda query, wanted: query.where((Holiday.date >= utcnow().date()) == wanted),
)
HOLIDAY = EntityType(
    name="holiday",
    plural="holidays",
    label="Holiday",
    model=Holiday,
    read_schema=HolidayOut,
    write_schema=HolidayIn,
    service=HolidayService,
    scope=everything,
    columns=("id", "name", "date", "region"),
    filters=(search(Holiday.name), equals(Holiday.region, fields.String()), UPCOMING),
    nav=NavItem(name="holidays", label="Holidays", order=60),
)
