"""What is sent to a database, and how it would go about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event


@contextmanager
def statements(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database inside."""
    sent: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *more: Any) -> None:
        sent.append((statement, parameters))

    event.listen(connection.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(connection.engine, "before_cursor_execute", note)


def plan(connection: Connection, statement: str, parameters: Any) -> str:
    sqlite = connection.dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
    lines = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
    return "\n".join(str(line[-1]) for line in lines)
