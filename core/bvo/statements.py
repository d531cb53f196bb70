"""Statements that are compiled once: for the few paths that run thousands of times a second.

They are the same SQLAlchemy expressions that everything else uses; what is left out is to build and compile them for
each request, and a round trip for each of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from sqlalchemy import (
    ARRAY,
    Dialect,
    Engine,
    Integer,
    String,
    Table,
    any_,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

Row = dict[str, Any]
Processor = Callable[[Any], Any]
ROWS = "rows"


class Statement:
    """A SQLAlchemy Core statement as text, with what its parameters and columns need on the way in and out."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._positions: Sequence[str] | None = compiled.positiontup
        self._fixed = dict(compiled.params)
        self._binds = _processors({name: bind.type for name, bind in compiled.binds.items()}, dialect, "bind_processor")
        columns = {} if getattr(statement, "exported_columns", None) is None else dict(statement.exported_columns)
        self._names = tuple(columns)
        types = {name: column.type for name, column in columns.items()}
        self._results = _processors(types, dialect, "result_processor", None)

    def execute(self, driver: Any, values: Any) -> Any:
        """The cursor."""
        return driver.execute(self.sql, self.parameters(values))

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """What the driver takes."""
        merged = {**self._fixed, **values}
        for name, process in self._binds.items():
            merged[name] = process(merged[name])
        return merged if self._positions is None else [merged[name] for name in self._positions]

    def row(self, values: Sequence[Any]) -> Row:
        """A row as the driver gave it, by the names of its columns."""
        row = dict(zip(self._names, values, strict=True))
        for name, process in self._results.items():
            row[name] = process(row[name])
        return row


def _processors(types: Mapping[str, Any], dialect: Dialect, kind: str, *arguments: Any) -> dict[str, Processor]:
    found = {name: getattr(type_.dialect_impl(dialect), kind)(dialect, *arguments) for name, type_ in types.items()}
    return {name: processor for name, processor in found.items() if processor is not None}


class Together(Statement):
    """A statement of PostgreSQL for many rows at once, which it has as the table `given`."""

    def execute(self, driver: Any, values: Sequence[Mapping[str, Any]]) -> Any:
        """The cursor. Raises TypeError where the rows hold what PostgreSQL's JSON can't."""
        import orjson  # it comes with the driver: pip install 'bv-orchestrator[postgres]'

        return super().execute(driver, {ROWS: orjson.dumps(values).decode()})


class Each(Statement):
    """A statement that is executed for one row after the other, and returns nothing."""

    def execute(self, driver: Any, values: Sequence[Mapping[str, Any]]) -> Any:
        return driver.executemany(self.sql, [self.parameters(row) for row in values])


def inserts(table: Table, columns: Sequence[str], dialect: Dialect) -> Statement:
    """Adds many rows of these columns."""
    types = {name: table.c[name].type for name in columns}
    new = insert(table).inline()
    if dialect.name == "postgresql":
        return Together(new.from_select(list(columns), select(*given(types).c)), dialect)
    return Each(new.values(_binds(types)), dialect)


def updates(table: Table, columns: Sequence[str], dialect: Dialect) -> Statement:
    """Changes these columns of many rows, each named by its `id`."""
    types = {name: table.c[name].type for name in ("id", *columns)}
    rows = given(types).c if dialect.name == "postgresql" else _binds(types)
    changed = update(table).where(table.c.id == rows["id"]).values({name: rows[name] for name in columns})
    return Together(changed, dialect) if dialect.name == "postgresql" else Each(changed, dialect)


def given(types: Mapping[str, Any]) -> Any:
    """The rows of a `Together`, as a table with these columns."""
    columns = [column(name, type_) for name, type_ in types.items()]
    rows = func.jsonb_to_recordset(cast(bindparam(ROWS, type_=String), JSONB))
    return rows.table_valued(*columns, name="given").render_derived(with_types=True)


def _binds(types: Mapping[str, Any]) -> dict[str, Any]:
    return {name: bindparam(name, type_=type_) for name, type_ in types.items()}


Call = tuple[Statement, Any]
"""A statement, and its parameters: of one that is for many rows, the rows."""


class Connection:
    """A connection of its own, on which many statements are sent at once; one transaction at a time."""

    def __init__(self, engine: Engine) -> None:
        self._pooled = engine.raw_connection()
        self.driver: Any = self._pooled.driver_connection
        self._pooled.detach()
        self.pipelined = engine.dialect.name == "postgresql"

    def run(self, *calls: Call) -> list[list[Row]]:
        """Execute them in this order and return the rows of each. On PostgreSQL it is one round trip."""
        if not self.pipelined:  # a statement whose rows are not read yet would be compiled again
            return [_rows(statement, statement.execute(self.driver, values)) for statement, values in calls]
        with self.driver.pipeline():
            cursors = [statement.execute(self.driver, values) for statement, values in calls]
        return [_rows(call[0], cursor) for call, cursor in zip(calls, cursors, strict=True)]

    def begin(self) -> None:
        if not self.pipelined:
            self.driver.execute("BEGIN IMMEDIATE")  # psycopg begins with the first statement

    def commit(self, *calls: Call) -> None:
        """Execute them and commit, in one round trip."""
        with self.driver.pipeline() if self.pipelined else nullcontext():
            for statement, values in calls:
                statement.execute(self.driver, values)
            self.driver.commit() if self.pipelined else self.driver.execute("COMMIT")

    def rollback(self) -> None:
        self.driver.rollback()

    def close(self) -> None:
        self._pooled.close()  # it is detached, so this closes it


def _rows(statement: Statement, cursor: Any) -> list[Row]:
    return [statement.row(values) for values in cursor.fetchall()] if cursor.description else []


def one_of(column: Any, name: str, dialect: Dialect, kind: Any = Integer) -> Any:
    """The condition that `column` is one of the values of the parameter `name`, which `many` makes."""
    if dialect.name == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(kind)))
    each = func.json_each(bindparam(name, type_=String)).table_valued("value")
    return column.in_(select(each.c.value))


def many(values: Sequence[Any], dialect: Dialect) -> Any:
    """The value of a parameter of `one_of`."""
    return list(values) if dialect.name == "postgresql" else json.dumps(list(values))
