"""The order of a list, by what an index serves, and places in it.

A place is named by the row beside it: its id, and where the list is sorted by another column, that value, too. So a
page costs the same at any depth, and stays where it is while rows come and go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from marshmallow import Schema
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Integer,
    String,
    Table,
    TypeDecorator,
    select,
    tuple_,
)

from bvo_hookspecs import EntityType

from .indexes import ordered_columns

MAX_ID = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Order:
    """By which column, and whether the greatest comes first. The default is the order of the API: newest first."""

    column: str = "id"
    descending: bool = True

    @property
    def reversed(self) -> Order:
        return Order(column=self.column, descending=not self.descending)

    @property
    def text(self) -> str:
        """As an address has it: `-created_at`."""
        return f"-{self.column}" if self.descending else self.column

    @property
    def names(self) -> tuple[str, ...]:
        """The columns: rows with the same value are in the order of their ids."""
        return ("id",) if self.column == "id" else (self.column, "id")

    def by(self, table: Any) -> list[ColumnElement[Any]]:
        """For ORDER BY, with the columns of a model, a table or a subquery's `c`."""
        columns = (getattr(table, name) for name in self.names)
        return [column.desc() if self.descending else column.asc() for column in columns]


NEWEST = Order()


def order_of(entity: EntityType, arguments: Mapping[str, Any]) -> Order:
    """The order that the list has by itself: newest first, unless a filter among `arguments` has another column."""
    ordering = (criterion for criterion in entity.filters if criterion.orders)
    column = next((each.orders for each in ordering if arguments.get(each.name) is not None), "id")
    return Order(column=column)


def place_of(row: Any, order: Order) -> str:
    """`17`, or `17:2026-11-22T18:19:39+00:00` in a list that is sorted by a time."""
    if order.column == "id":
        return str(row.id)
    value = getattr(row, order.column)
    return f"{row.id}:{value.isoformat() if isinstance(value, datetime) else value}"


def behind(entity: EntityType, order: Order, place: str | None) -> list[ColumnElement[bool]]:
    """What follows a place in the list. Raises ValueError where it is none."""
    if place is None:
        return []
    number, _, text = place.partition(":")
    columns = [getattr(entity.model, name) for name in order.names]
    known: Any = id_of(number)
    if len(columns) == 1:
        return [columns[0] < known if order.descending else columns[0] > known]
    position, known = tuple_(*columns), (_value(text, columns[0].type), known)
    return [position < known if order.descending else position > known]


def behind_row(entity: EntityType, order: Order, row_id: int | None) -> list[ColumnElement[bool]]:
    """What follows the row with this id, greatest first; where it is gone, the next older id stands for it."""
    if row_id is None:
        return []
    key, value = entity.model.id, getattr(entity.model, order.column)
    if order.column == "id":
        return [key < row_id]
    place = select(value, key).where(key <= row_id, value.is_not(None)).order_by(key.desc()).limit(1)
    return [tuple_(value, key) < place.scalar_subquery()]


def id_of(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MAX_ID:
        raise ValueError(f"ids end at {MAX_ID}")
    return number


@lru_cache(maxsize=256)
def sortable(table: Table, schema: type[Schema]) -> frozenset[str]:
    """The columns that an index of their own keeps in order, that are never null, and that the schema shows."""
    never_null = {column.name for column in table.columns if _can_lead(column)}
    return ordered_columns(table) & never_null & {*schema().dump_fields}


def _value(text: str, kind: Any) -> Any:
    kind = _plain(kind)
    if isinstance(kind, DateTime):
        value = datetime.fromisoformat(text)
        if value.tzinfo is None:
            raise ValueError(f"{text} has no zone")
        return value
    if isinstance(kind, Boolean):
        return text == "True"
    return int(text) if isinstance(kind, Integer) else text


def _can_lead(column: Column[Any]) -> bool:
    return not column.nullable and isinstance(_plain(column.type), String | Integer | Boolean | DateTime)


def _plain(kind: Any) -> Any:
    return kind.impl if isinstance(kind, TypeDecorator) else kind
