"""Statements that are compiled once: for the few paths that run thousands of times a second.

They are the same SQLAlchemy expressions that everything else uses; what is left out is to build and compile them for
each request, and a round trip for each of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Dialect, Engine, Integer, String, Table, any_, bindparam, func, insert, select

Row = dict[str, Any]
Processor = Callable[[Any], Any]


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


class Insert:
    """Many rows of one table, with these columns, at once."""

    def __init__(self, table: Table, columns: Sequence[str], dialect: Dialect) -> None:
        values = {name: bindparam(name, type_=table.c[name].type) for name in columns}
        self.each = Statement(insert(table).inline().values(values), dialect)
        quote = dialect.identifier_preparer.quote
        names = ", ".join(quote(name) for name in columns)
        types = ", ".join(f"{quote(name)} {table.c[name].type.compile(dialect)}" for name in columns)
        target = dialect.identifier_preparer.format_table(table)
        self.bulk = (
            f"INSERT INTO {target} ({names}) SELECT {names} FROM jsonb_to_recordset(%s::jsonb) AS given({types})"  # noqa: S608
        )


Call = tuple[Statement, Mapping[str, Any]]


class Connection:
    """A connection of its own, on which many statements are sent at once; one transaction at a time."""

    def __init__(self, engine: Engine) -> None:
        self._pooled = engine.raw_connection()
        self.driver: Any = self._pooled.driver_connection
        self._pooled.detach()
        self.pipelined = engine.dialect.name == "postgresql"

    def run(self, *calls: Call) -> list[list[Row]]:
        """Execute them in this order and return the rows of each. On PostgreSQL it is one round trip."""
        if not self.pipelined:
            return [
                self._rows(call[0], self.driver.execute(call[0].sql, call[0].parameters(call[1]))) for call in calls
            ]
        with self.driver.pipeline():
            cursors = [self.driver.execute(call[0].sql, call[0].parameters(call[1])) for call in calls]
        return [self._rows(call[0], cursor) for call, cursor in zip(calls, cursors, strict=True)]

    def insert(self, insert: Insert, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add many rows with one statement."""
        if not self.pipelined:
            self.driver.executemany(insert.each.sql, [insert.each.parameters(row) for row in rows])
        elif rows:
            self.driver.execute(insert.bulk, [json.dumps(rows, default=datetime.isoformat)])

    def begin(self) -> None:
        if not self.pipelined:
            self.driver.execute("BEGIN IMMEDIATE")  # psycopg begins with the first statement

    def commit(self) -> None:
        self.driver.commit() if self.pipelined else self.driver.execute("COMMIT")

    def rollback(self) -> None:
        self.driver.rollback()

    def close(self) -> None:
        self._pooled.close()  # it is detached, so this closes it

    @staticmethod
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
