"""Lists as people read them: sorted by what an index serves, and paged in both directions from any row on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from bvo import registry
from bvo.database import db
from bvo_hookspecs import EntityType

from . import orders
from .indexes import parts
from .looking import Found, Search, is_needed
from .orders import NEWEST, Order, behind, id_of, place_of
from .query import MAX_COUNT, bare, count, fetch_page, narrowed

BATCH = 500
"""Rows that are held at once where all of them are wanted."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Some rows of a list, and the places of those beside them: None where there are none.

    `total` is capped at MAX_COUNT + 1, and None where it is not known. `searched_to` is as in `Page`; `looked_through`
    says the same of a list that has no order of time.
    """

    rows: list[Any]
    total: int | None = None
    before: str | None = None
    after: str | None = None
    searched_to: datetime | None = None
    looked_through: bool = False


def sortable(entity: EntityType, arguments: Mapping[str, Any]) -> frozenset[str]:
    """The columns of the type's list that an index of their own keeps in order, and that are never null.

    None where the service fetches its pages itself.
    """
    if fetches_itself(entity):
        return frozenset()
    own = orders.sortable(entity.model.__table__, entity.read_schema)
    return own | {orders.order_of(entity, arguments).column}


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
    size = arguments["page_size"]
    rows = _reader(entity, arguments, order)
    total = rows.total() if counted else None
    if before is not None:
        found = rows.page(order.reversed, before, size)
        if found.onward is not None:
            shown = found.rows[::-1]
            last = place_of(shown[-1], order) if shown else None
            return Slice(rows=shown, total=total, before=found.onward, after=last)
        after = None  # what leads up to it fits on the first page
    found = rows.page(order, after, size)
    return Slice(
        rows=found.rows,
        total=total,
        before=place_of(found.rows[0], order) if found.rows and after is not None else None,
        after=found.onward,
        looked_through=found.is_part,
    )


def first(entity: EntityType, arguments: Mapping[str, Any], order: Order, limit: int) -> list[Any]:
    """The first rows that fit, at most so many, without what belongs to them. All rows are looked through for them."""
    rows: list[Any] = []
    after: str | None = None
    while len(rows) < limit:
        if fetches_itself(entity):
            part = _of_service(entity, {**arguments, "page_size": limit}, after)
            rows, after = [*rows, *part.rows], part.after
        else:
            found = _reader(entity, arguments, order, related=False).page(order, after, limit - len(rows))
            rows, after = [*rows, *found.rows], found.onward
        if after is None:
            break
    return rows[:limit]


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
    page = fetch_page(entity, {**arguments, "after": id_of(after) if after else None})
    following = None if page.next_after is None else str(page.next_after)
    return Slice(rows=page.rows, total=page.total, after=following, searched_to=page.searched_to)


def _reader(entity: EntityType, arguments: Mapping[str, Any], order: Order, *, related: bool = True) -> _Indexed:
    query = narrowed(entity, arguments)
    kind = _Looked if is_needed(entity.model.__table__, query, order.column) else _Indexed
    return kind(entity, query, order, related)


@dataclass(frozen=True)
class _Found:
    """Some rows, and the place from which others follow; `is_part` where it is not yet known whether any do."""

    rows: list[Any]
    onward: str | None
    is_part: bool = False


@dataclass
class _Indexed:
    """Rows to which an index leads, in the list's order."""

    entity: EntityType
    query: Select[Any]
    order: Order
    related: bool

    def total(self) -> int | None:
        return count(self.entity, self.query)

    def page(self, order: Order, place: str | None, size: int) -> _Found:
        following = self.query.where(*behind(self.entity, order, place)).order_by(*order.by(self.entity.model))
        found = self._read(following.limit(size + 1))
        rows = found[:size]
        return _Found(rows, place_of(rows[-1], order) if len(found) > size else None)

    def _read(self, query: Select[Any]) -> list[Any]:
        return list(db.session.scalars(query if self.related else bare(query)).unique())


@dataclass
class _Looked(_Indexed):
    """Rows that are looked for among others: see `looking`."""

    first: Found | None = None

    def total(self) -> int | None:
        """None where not all rows were looked through."""
        self.first = self._look(self.order, None, MAX_COUNT + 1)
        return len(self.first.ids) if self.first.reached is None else None

    def page(self, order: Order, place: str | None, size: int) -> _Found:
        found = self.first if place is None else None
        found = found or self._look(order, place, size + 1)
        rows = self._load(found.ids[:size])
        if len(found.ids) > size:
            return _Found(rows, place_of(rows[-1], order))
        reached = self._load([found.reached] if found.reached is not None else [])
        return _Found(rows, place_of(reached[0], order) if reached else None, bool(reached))

    def _look(self, order: Order, place: str | None, limit: int) -> Found:
        search = Search(self.entity.model.__table__, parts(self.query.whereclause), order)
        return search.look(behind(self.entity, order, place), limit)

    def _load(self, ids: Sequence[int]) -> list[Any]:
        """The rows with these ids, in the same order. One that has gone meanwhile is left out."""
        model = self.entity.model
        rows = {row.id: row for row in self._read(select(model).where(model.id.in_(ids)))} if ids else {}
        return [rows[each] for each in ids if each in rows]
