"""The entity type `process`."""

from __future__ import annotations

from marshmallow import fields

from bvo.entities import everything, flag, search
from bvo.event_types import of_change
from bvo_hookspecs import EntityType, NavItem

from .models import Process
from .schemas import ProcessIn, ProcessOut
from .service import ProcessService

PROCESS = EntityType(
    name="process",
    plural="processes",
    label="Process",
    model=Process,
    read_schema=ProcessOut,
    write_schema=ProcessIn,
    service=ProcessService,
    scope=everything,
    columns=("id", "name", "package", "script_path", "version", "is_active", "updated_at"),
    filters=(search(Process.name, Process.description), flag("active_only", Process.is_active)),
    nav=NavItem(name="processes", label="Processes", order=20),
)

EVENT_TYPES = (
    of_change(
        "process",
        "updated",
        help="Process was changed, or rolled back to an earlier version.",
        schema=ProcessOut,
        metadata={"rolled_back_to": fields.Integer()},
    ),
)
