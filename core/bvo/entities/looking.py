"""Filters that no index serves: an answer looks through so many rows, and the next one goes on from there.

So a list costs the same however many rows there are, and however few of them fit. The rows are those of the filters
that an index leads to; of several, the one that leads furthest. Without any, they are all rows in the list's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Select, Table, select
from sqlalchemy.sql import visitors
from sqlalchemy.sql.util import ClauseAdapter

from bvo.database import db

from . import indexes
from .indexes import Conditions, Way
from .orders import Order

IN_AN_INDEX, IN_A_ROW, APART = 15_000, 10_000, 2_500
"""Rows that one answer looks through at most: where an index has all that is asked of them, where they lie one behind
the other, and where an index leads to each."""


@dataclass(frozen=True)
class Found:
    """The ids of the rows that fit, in order. `reached` is the last row looked at where there are more behind it."""

    ids: Sequence[int]
    reached: int | None


@dataclass(frozen=True)
class Search:
    """Conditions that rows have to meet, and the order in which they are wanted."""

    table: Table
    conditions: Conditions
    order: Order

    def look(self, behind: Conditions, limit: int) -> Found:
        """The first rows `behind` a place in the list, at most `limit` of them."""
        for column in sorted({"id", *indexes.limited(self.table, self.conditions)} - {self.order.column}):
            other = Order(column=column)
            for way in indexes.ways(self.table, self.conditions, column):
                if len(self._last(way.conditions, other, APART)) < 2:  # few enough to be put in order
                    return Found(self._fitting(way.conditions, other, APART, limit, behind), None)
        return self._furthest(self._ways(), behind, limit)

    def _ways(self) -> list[Way]:
        found = indexes.ways(self.table, self.conditions, self.order.column)
        ways = sorted(found, key=lambda way: len(way.conditions), reverse=True)
        return (ways if self.order.column == "id" else ways[:1]) or [Way()]

    def _furthest(self, ways: Sequence[Way], behind: Conditions, limit: int) -> Found:
        """Along the way whose rows lead furthest: every other one would need more of them for the same."""
        reached: list[tuple[int, int, Conditions]] = []
        for way in ways:
            walked, rows = [*way.conditions, *behind], self._at_most(way)
            last = self._last(walked, self.order, rows)
            if len(last) < 2:
                return Found(self._fitting(walked, self.order, rows, limit), None)
            reached.append((last[0], rows, walked))
        furthest = min if self.order.descending else max
        end, rows, along = furthest(reached, key=lambda each: each[0])
        return Found(self._fitting(along, self.order, rows, limit), end)

    def _at_most(self, way: Way) -> int:
        if {column.name for column in self._read_by(self.conditions)} <= way.names:
            return IN_AN_INDEX
        return APART if way.conditions or self.order.column != "id" else IN_A_ROW

    def _last(self, way: Conditions, order: Order, rows: int) -> Sequence[int]:
        """The id of the last of so many rows, and that of the next one."""
        walk = select(self.table.c.id).where(*way).order_by(*order.by(self.table.c))
        return db.session.scalars(walk.offset(rows - 1).limit(2)).all()

    def _fitting(self, way: Conditions, order: Order, rows: int, limit: int, behind: Conditions = ()) -> Sequence[int]:
        """The rows that fit among so many. The conditions are asked of these alone: no other index is of use there."""
        asked = [*self.conditions, *behind]
        looked_at = select(*self._read_by(asked)).where(*way).order_by(*order.by(self.table.c)).limit(rows).subquery()
        here = ClauseAdapter(looked_at)
        fitting = select(looked_at.c.id).where(*(here.traverse(condition) for condition in asked))
        return db.session.scalars(fitting.order_by(*self.order.by(looked_at.c)).limit(limit)).all()

    def _read_by(self, conditions: Conditions) -> list[Column[Any]]:
        """The columns that they read, and no others: where an index has them all, the rows themselves are not read."""
        elements = (element for condition in conditions for element in visitors.iterate(condition))
        read = {each.key for each in elements if isinstance(each, Column) and each.table is self.table}
        return [column for column in self.table.c if column.key in read | {*self.order.names}]


def is_needed(table: Table, query: Select[Any], column: str) -> bool:
    """True where no index leads to the rows of the query in this order. What reads other tables is left as it is."""
    read = query.with_only_columns(table.c.id, maintain_column_froms=True).get_final_froms()
    return read == [table] and not indexes.serves(table, indexes.parts(query.whereclause), column)
