"""Lists as people read them: sorted by what an index serves, and paged in both directions from any row on.

A place in a list is named by the row beside it: its id, and where the list is sorted by another column, that value,
too. So a page costs the same at any depth, and stays where it is while rows come and go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from marshmallow import Schema
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    Select,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    tuple_,
)

from bvo import registry
from bvo.database import db
from bvo_hookspecs import EntityType

from .query import count, fetch_page, leading_column, narrowed
from .routes import MAX_ID

BATCH = 500
"""Rows that are held at once where all of them are wanted."""


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


NEWEST = Order()


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Some rows of a list, and the places of those beside them: None where there are none.

    `total` is capped at MAX_COUNT + 1, and 0 where it was not asked for. `searched_to` is as in `Page`.
    """

    rows: list[Any]
    total: int = 0
    before: str | None = None
    after: str | None = None
    searched_to: datetime | None = None


def order_of(entity: EntityType, arguments: Mapping[str, Any]) -> Order:
    """The order that the list has by itself: newest first."""
    return Order(column=leading_column(entity, arguments))


def sortable(entity: EntityType, arguments: Mapping[str, Any]) -> frozenset[str]:
    """The columns of the type's list that an index of their own keeps in order, and that are never null.

    None where the service fetches its pages itself.
    """
    if fetches_itself(entity):
        return frozenset()
    return _sortable(entity.model.__table__, entity.read_schema) | {leading_column(entity, arguments)}


def cut(
    entity: EntityType,
    arguments: Mapping[str, Any],
    order: Order = NEWEST,
    *,
    before: str | None = None,
    after: str | None = None,
    counted: bool = True,
) -> Slice:
    """The rows behind the place `after`, or those that lead up to `before`; the first ones where neither is given.

    `arguments` are the type's filters and `page_size`. Raises ValueError where a place is none of this list.
    """
    if fetches_itself(entity):
        return _of_service(entity, arguments, after)
    query, size = narrowed(entity, arguments), arguments["page_size"]
    total = count(entity, query) if counted else 0
    if before is not None:
        found = _some(entity, query, order.reversed, before, size + 1)
        if len(found) > size:
            rows = found[size - 1 :: -1]
            return Slice(rows=rows, total=total, before=_place(rows[0], order), after=_place(rows[-1], order))
        after = None  # what leads up to it fits on the first page
    found = _some(entity, query, order, after, size + 1)
    rows = found[:size]
    return Slice(
        rows=rows,
        total=total,
        before=_place(rows[0], order) if rows and after is not None else None,
        after=_place(rows[-1], order) if len(found) > size else None,
    )


def every_row(entity: EntityType, arguments: Mapping[str, Any], order: Order = NEWEST) -> Iterator[list[Any]]:
    """All rows that fit, in batches of which one at a time is held, and no transaction is open between them."""
    after: str | None = None
    while True:
        batch = cut(entity, {**arguments, "page_size": BATCH}, order, after=after, counted=False)
        yield batch.rows
        after = batch.after
        db.session.expunge_all()
        db.session.rollback()
        if after is None:
            return


def fetches_itself(entity: EntityType) -> bool:
    """True where the service has a method `page`: its list has an order of its own."""
    return hasattr(registry.current().services[entity.service], "page")


def _of_service(entity: EntityType, arguments: Mapping[str, Any], after: str | None) -> Slice:
    page = fetch_page(entity, {**arguments, "after": _id(after) if after else None})
    following = None if page.next_after is None else str(page.next_after)
    return Slice(rows=page.rows, total=page.total, after=following, searched_to=page.searched_to)


def _some(entity: EntityType, query: Select[Any], order: Order, place: str | None, limit: int) -> list[Any]:
    key, column = entity.model.id, getattr(entity.model, order.column)
    by_id = order.column == "id"
    columns = (key,) if by_id else (column, key)
    if place is not None:
        number, _, text = place.partition(":")
        position = key if by_id else tuple_(column, key)
        known = _id(number) if by_id else (_value(text, column.type), _id(number))
        query = query.where(position < known if order.descending else position > known)
    ordered = query.order_by(*(each.desc() if order.descending else each.asc() for each in columns))
    return list(db.session.scalars(ordered.limit(limit)).unique())


def _place(row: Any, order: Order) -> str:
    """`17`, or `17:2026-11-22T18:19:39+00:00` in a list that is sorted by a time."""
    if order.column == "id":
        return str(row.id)
    value = getattr(row, order.column)
    return f"{row.id}:{value.isoformat() if isinstance(value, datetime) else value}"


def _id(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MAX_ID:
        raise ValueError(f"ids end at {MAX_ID}")
    return number


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


def _plain(kind: Any) -> Any:
    return kind.impl if isinstance(kind, TypeDecorator) else kind


@lru_cache(maxsize=256)
def _sortable(table: Table, schema: type[Schema]) -> frozenset[str]:
    never_null = {column.name for column in table.columns if _can_lead(column)}
    return ordered_columns(table) & never_null & {*schema().dump_fields}


@lru_cache(maxsize=256)
def ordered_columns(table: Table) -> frozenset[str]:
    """The columns whose order an index of all rows keeps."""
    unique = [list(each.columns) for each in table.constraints if isinstance(each, UniqueConstraint)]
    whole = [list(index.columns) for index in table.indexes if _is_whole(index)]
    in_order = [columns for columns in whole if len(columns) == 1 or columns[1].name == "id"]
    return frozenset({"id"} | {columns[0].name for columns in (*unique, *in_order)})


def _is_whole(index: Index) -> bool:
    """Not only of some rows."""
    return all(index.dialect_options[name]["where"] is None for name in ("sqlite", "postgresql"))


def _can_lead(column: Column[Any]) -> bool:
    return not column.nullable and isinstance(_plain(column.type), String | Integer | Boolean | DateTime)
