"""What the indexes of a table can do for a list: keep an order, and find the rows that fit some filters in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BinaryExpression,
    BindParameter,
    Column,
    ColumnClause,
    ColumnElement,
    Index,
    Table,
    UniqueConstraint,
)
from sqlalchemy.sql import operators

from bvo.database import UTCDateTime

Conditions = Sequence[ColumnElement[bool]]

RANGES = (operators.ge, operators.gt, operators.le, operators.lt)


@dataclass(frozen=True)
class Way:
    """Rows that an index has one behind the other, in a list's order: those that meet some of its conditions.

    `names` are the columns that are read without the rows themselves.
    """

    conditions: Conditions = ()
    names: frozenset[str] = frozenset()


@lru_cache(maxsize=256)
def ordered_columns(table: Table) -> frozenset[str]:
    """The columns whose order an index of all rows keeps, with the ids of rows of one value in their order.

    Of times hardly two are the same, so an index that goes on otherwise does as well.
    """
    in_order = [names for names, wanted in _indexes(table) if not wanted and _in_order(table, names, names[0])]
    return frozenset({"id"} | {names[0] for names in (*_unique(table), *in_order)})


def parts(condition: ColumnElement[bool] | None) -> list[ColumnElement[bool]]:
    """The conditions that must all hold, one by one."""
    if condition is None:
        return []
    if getattr(condition, "operator", None) is operators.and_:
        return [each for clause in condition.get_children() for each in parts(clause)]  # type: ignore[arg-type]
    return [condition]


def ways(table: Table, conditions: Conditions, column: str) -> Iterator[Way]:
    """Along each index that has rows in the order of `column`, with as many of the conditions as it serves."""
    equal, limits = _equal(table, conditions), _limits(table, conditions, column)
    by = "id" if column in equal else column
    for names, among in _usable(table, conditions):
        first = names[: names.index(by)] if by in names else ()
        served = equal.keys() >= {*first} and (column not in equal or column in first)
        if served and _in_order(table, names[len(first) :], by):
            yield Way([*among, *(equal[name] for name in first), *limits], frozenset({*names, "id"}))


def serves(table: Table, conditions: Conditions, column: str) -> bool:
    """True where an index leads to the rows that fit, and to no others, in the order of `column`."""
    if {*conditions} == {*_limits(table, conditions, column)}:
        return True
    return any({*conditions} == {*way.conditions} for way in ways(table, conditions, column))


def limited(table: Table, conditions: Conditions) -> set[str]:
    """The columns of which the conditions want a range."""
    return {column.name for column in table.columns if _limits(table, conditions, column.name)}


def _in_order(table: Table, names: Sequence[str], column: str) -> bool:
    if column == "id":
        return names[:1] == ("id",)
    return names[:1] == (column,) and (names[1:2] == ("id",) or isinstance(table.c[column].type, UTCDateTime))


def _equal(table: Table, conditions: Conditions) -> dict[str, ColumnElement[bool]]:
    """The conditions that want one value of a column, by the column's name."""
    compared = ((_compared(table, each, (operators.eq,)), each) for each in conditions)
    return {name: each for name, each in compared if name}


def _limits(table: Table, conditions: Conditions, column: str) -> list[ColumnElement[bool]]:
    """The conditions that want a range of a column."""
    return [each for each in conditions if _compared(table, each, RANGES) == column]


def _compared(table: Table, condition: ColumnElement[bool], by: Sequence[Any]) -> str:
    """The name of the column that is compared with a value in one of these ways, or nothing."""
    if isinstance(condition, BinaryExpression) and condition.operator in by:
        column, value = condition.left, condition.right
        known = isinstance(value, BindParameter) or (isinstance(value, ColumnClause) and value.is_literal)
        if known and isinstance(column, Column) and column.table is table:
            return column.name
    return ""


def _usable(table: Table, conditions: Conditions) -> Iterator[tuple[tuple[str, ...], Conditions]]:
    """The columns of each index that has all rows that meet the conditions, and those of them that say so."""
    said = dict(_said(table, conditions)) if any(wanted for _, wanted in _indexes(table)) else {}
    for names, wanted in _indexes(table):
        if said.keys() >= wanted:
            yield names, list(dict.fromkeys(said[each] for each in wanted))


def _said(table: Table, conditions: Conditions) -> Iterator[tuple[str, ColumnElement[bool]]]:
    """The conditions by their text, and what follows from them: who compares a column wants it not to be null."""
    for each in conditions:
        yield str(each).replace(f"{table.name}.", ""), each
        if name := _compared(table, each, (operators.eq, *RANGES)):
            yield f"{name} IS NOT NULL", each


@lru_cache(maxsize=256)
def _indexes(table: Table) -> tuple[tuple[tuple[str, ...], frozenset[str]], ...]:
    """The columns of each index, and the conditions of one that has but some of the rows."""
    return tuple((tuple(column.name for column in index.columns), _wanted(index)) for index in table.indexes)


def _wanted(index: Index) -> frozenset[str]:
    where = index.dialect_options["sqlite"]["where"]
    return frozenset() if where is None else frozenset(str(where).split(" AND "))


def _unique(table: Table) -> Iterator[tuple[str, ...]]:
    for each in table.constraints:
        if isinstance(each, UniqueConstraint):
            yield tuple(column.name for column in each.columns)
