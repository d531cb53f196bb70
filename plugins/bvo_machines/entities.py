"""The entity type `machine`."""

from __future__ import annotations

from bvo.entities import everything, search
from bvo_hookspecs import Action, EntityType, EventType, NavItem

from .models import Machine
from .schemas import MachineIn, MachineOut
from .service import MachineService

MACHINE = EntityType(
    name="machine",
    plural="machines",
    label="Machine",
    model=Machine,
    read_schema=MachineOut,
    write_schema=MachineIn,
    service=MachineService,
    scope=everything,
    columns=("id", "name", "mode", "status", "robot_count", "last_seen_at"),
    filters=(search(Machine.name),),
    actions=(
        Action(
            name="renew_key",
            label="Renew key",
            confirm="Make a new key? No robot can register with the old one any more; those that have, go on.",
            applies=lambda row: row["mode"] == "runner",
            bulk=False,
        ),
    ),
    secrets=frozenset({"machine_key"}),
    nav=NavItem(name="machines", label="Machines", order=50),
)

EVENT_TYPES = (
    EventType(
        name="machine.key_renewed", help="The machine was given a new key. The one before has ended.", schema=MachineOut
    ),
)
