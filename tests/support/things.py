"""A plugin with one small entity type of every feature, and one that can only be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy import ForeignKey, Select
from sqlalchemy.orm import Mapped, mapped_column

from bvo import events
from bvo.access import requires
from bvo.database import Base, db, transaction
from bvo.entities import Creates, Deletes, Service, Updates, equals, everything, flag, search
from bvo_hookspecs import Action, EntityType, EventType, PluginInfo, Principal, hookimpl


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    colour: Mapped[str] = mapped_column(default="grey")
    owner: Mapped[str] = mapped_column(default="")
    pin: Mapped[str | None]
    done: Mapped[bool] = mapped_column(default=False)


class Part(Base):
    """Belongs to a thing, which can't be deleted before it."""

    __tablename__ = "thing_parts"

    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(ForeignKey("things.id"))


class ThingOut(Schema):
    id = fields.Integer()
    name = fields.String()
    colour = fields.String()
    owner = fields.String()
    pin = fields.String(allow_none=True)
    done = fields.Boolean()


class ThingIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 60))
    colour = fields.String()
    owner = fields.String()
    pin = fields.String(allow_none=True)
    done = fields.Boolean()


class PartOut(Schema):
    id = fields.Integer()


class ThingService(Creates[Thing], Updates[Thing], Deletes[Thing]):
    def paint(self, row_id: int) -> Thing:
        with transaction() as session:
            row = self.get(row_id)
            before = events.snapshot(self.entity, row)
            row.colour = "red"
            session.flush()
            events.emit("painted", self.entity, row, before=before)
            return row


class PartService(Service[Part]):
    """Reading only."""


def own(principal: Principal, query: Select[Any]) -> Select[Any]:
    return query if principal.is_admin else query.where(Thing.owner == principal.name)


@requires("thing_parts:view")
def every_part() -> Any:
    """List parts, in a form of its own"""
    return {"parts": "none of your business"}


THING = EntityType(
    name="thing",
    plural="things",
    label="Thing",
    model=Thing,
    read_schema=ThingOut,
    write_schema=ThingIn,
    service=ThingService,
    scope=own,
    actions=(Action(name="paint", label="Paint"),),
    filters=(search(Thing.name, Thing.colour), equals(Thing.colour, fields.String()), flag("done", Thing.done)),
    secrets=frozenset({"pin"}),
)
PART = EntityType(
    name="thing_part",
    plural="thing_parts",
    label="Part",
    model=Part,
    read_schema=PartOut,
    service=PartService,
    scope=everything,
    views={"list": every_part},
)


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="things", summary="Things", requires=("access",))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    return [THING, PART]


@hookimpl
def event_types() -> Iterable[EventType]:
    return [EventType(name="thing.painted", help="A thing has another colour.", schema=ThingOut)]


def make_tables() -> None:
    """In place of a migration. Needs an app's context."""
    Base.metadata.create_all(db.engine, tables=[Base.metadata.tables["things"], Base.metadata.tables["thing_parts"]])
