"""What the indexes of a table can do for a list: keep an order, and find the rows that fit some filters in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from sqlalchemy import BinaryExpression, BindParameter, Column, ColumnElement, Index, Table, UniqueConstraint, and_
from sqlalchemy.sql import operators

from bvo.database import UTCDateTime


@lru_cache(maxsize=256)
def ordered_columns(table: Table) -> frozenset[str]:
    """The columns whose order an index of all rows keeps, with the ids of rows of one value in their order.

    Of times hardly two are the same, so an index of a time alone does as well.
    """
    in_order = [names for names in _whole(table) if names[1:2] == ("id",) or _is_time(table, names)]
    return frozenset({"id"} | {names[0] for names in (*_unique(table), *in_order)})


def parts(condition: ColumnElement[bool] | None) -> list[ColumnElement[bool]]:
    """The conditions that must all hold, one by one."""
    if condition is None:
        return []
    if getattr(condition, "operator", None) is operators.and_:
        return [each for clause in condition.get_children() for each in parts(clause)]  # type: ignore[arg-type]
    return [condition]


def serves(table: Table, conditions: Sequence[ColumnElement[bool]], column: str) -> bool:
    """True where an index leads to the rows that fit, and to no others, in the order of `column`."""
    equal = _equal(table, conditions)
    if len(equal) < len(conditions):
        return False
    by_id = column == "id" or column in equal
    if not equal:
        return True
    wanted = len(equal)
    indexes = ((set(names[:wanted]), names[wanted:]) for names in _whole(table))
    return any(first == equal.keys() and _in_order(rest, "id" if by_id else column) for first, rest in indexes)


def leading(table: Table, conditions: Sequence[ColumnElement[bool]]) -> Iterator[ColumnElement[bool]]:
    """Those of the conditions by which an index finds rows in the order of their ids."""
    equal = _equal(table, conditions)
    for names in _whole(table):
        before = names[: names.index("id")] if "id" in names else names
        if "id" in names and before and set(before) <= equal.keys():
            yield and_(*(equal[name] for name in before))


def _in_order(names: Sequence[str], column: str) -> bool:
    return names[:1] == ("id",) if column == "id" else names[:2] == (column, "id")


def _equal(table: Table, conditions: Sequence[ColumnElement[bool]]) -> dict[str, ColumnElement[bool]]:
    """The conditions that want one value of a column, by the column's name."""
    found: dict[str, ColumnElement[bool]] = {}
    for each in conditions:
        if isinstance(each, BinaryExpression) and each.operator is operators.eq:
            column = each.left
            if isinstance(column, Column) and column.table is table and isinstance(each.right, BindParameter):
                found[column.name] = each
    return found


@lru_cache(maxsize=256)
def _whole(table: Table) -> tuple[tuple[str, ...], ...]:
    """The columns of each index that has all rows."""
    return tuple(tuple(column.name for column in index.columns) for index in table.indexes if _is_whole(index))


def _is_time(table: Table, names: Sequence[str]) -> bool:
    return len(names) == 1 and isinstance(table.c[names[0]].type, UTCDateTime)


def _unique(table: Table) -> Iterator[tuple[str, ...]]:
    for each in table.constraints:
        if isinstance(each, UniqueConstraint):
            yield tuple(column.name for column in each.columns)


def _is_whole(index: Index) -> bool:
    """Not only of some rows."""
    return all(index.dialect_options[name]["where"] is None for name in ("sqlite", "postgresql"))
