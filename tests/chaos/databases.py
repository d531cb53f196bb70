"""The database of a run: its server, where it has one, and its tables as the oracle reads them, past the product."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import psycopg
from sqlalchemy import ColumnElement, Table, create_engine, delete, insert, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from bvo.settings import StoredSetting
from support.databases import migrate
from support.postgres import create, server_command

from .ports import free_port
from .processes import START_SECONDS, Owned
from .stage import Stage


class Database(Protocol):
    url: str
    server: Owned | None
    """None where the database is a file."""


class Sqlite:
    server = None

    def __init__(self, stage: Stage, template: str = "") -> None:
        """`template` is the URL of a migrated database to begin with."""
        self.url = template or f"sqlite:///{stage.disk.folder / 'bvo.db'}"
        if not template:
            migrate(self.url, stage.folder)


class Postgres:
    """A context manager: a server of its own, whose folder lies where its user reaches it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="bvo-chaos-pg-"))
        create(self._folder)
        self.server = PostgresServer(self._stage, self._folder, free_port())
        self.server.start()
        self.url = self.server.url
        migrate(self.url, self._stage.folder)
        return self

    def __exit__(self, *ended_by: object) -> None:
        self.server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


class PostgresServer(Owned):
    def __init__(self, stage: Stage, folder: Path, port: int) -> None:
        super().__init__(stage, "postgres", server_command(folder, port), {})
        self.url = f"postgresql://bvo@127.0.0.1:{port}/postgres"

    def start(self) -> None:
        """Start it until it answers: processes of the killed one may hold on to its memory for a moment."""
        super().start()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, f"PostgreSQL does not start:\n{self.log()[-3000:]}"
            if self.process.poll() is not None:
                super().start()
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class Tables:
    """The rows as the database has them."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)

    def rows(self, table: Table, *where: ColumnElement[bool]) -> list[dict[str, Any]]:
        query = select(table).where(*where).order_by(*table.primary_key.columns)
        with self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def columns(self, *columns: Any, where: Sequence[ColumnElement[bool]] = ()) -> list[Any]:
        return self.ask(select(*columns).where(*where))

    def ask(self, query: Any) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(query))

    def execute(self, statement: Any) -> None:
        """Change rows, or with a string the tables."""
        with self._engine.begin() as connection:
            connection.execute(text(statement) if isinstance(statement, str) else statement)

    def store_settings(self, group: str, **values: Any) -> None:
        """Settings as the product stores them, also such as its API refuses: a run has no minute for a lease."""
        rows = [{"group": group, "name": name, "value": value} for name, value in values.items()]
        table = StoredSetting.__table__
        with self._engine.begin() as connection:
            connection.execute(delete(table).where(table.c.group == group, table.c.name.in_(values)))
            connection.execute(insert(table), rows)
