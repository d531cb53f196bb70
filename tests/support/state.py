"""All that an app keeps: the rows of every table, and the files in the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import inspect, select

from bvo.database import Base, db
from bvo.registry import Registry


def store_of(app: Flask) -> Path:
    """The folder where the app keeps packages and artifacts."""
    contributed: Registry = app.extensions["bvo"]
    return contributed.config.data_dir / "store"


class State:
    def __init__(self, app: Flask) -> None:
        self._app = app
        self._store = store_of(app)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table, as the database has them, in the order of their keys."""
        known = Base.metadata.tables[table]
        with self._app.app_context():
            return [dict(row._mapping) for row in db.session.execute(select(known).order_by(*known.primary_key))]

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of every table that the app's plugins have."""
        with self._app.app_context():
            present = inspect(db.engine).get_table_names()
        return {name: self.rows(name) for name in sorted(present) if name in Base.metadata.tables}

    def files(self) -> set[str]:
        """The files in the store, by their paths in it."""
        return {path.relative_to(self._store).as_posix() for path in self._store.rglob("*") if path.is_file()}

    @contextmanager
    def denied(self) -> Iterator[None]:
        """Whatever happens inside leaves nothing but the events that tell that it was denied."""
        before, files = self._lasting(), self.files()
        yield
        after = self._lasting()
        logged = after.pop("events")[len(before.pop("events")) :]
        assert (after, self.files()) == (before, files)
        assert [row["message"] for row in logged if row["action_type"] != "denied"] == []

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Whatever happens inside leaves no row, no event and no file, but for counted attempts."""
        before = (self._lasting(), self.files())
        yield
        assert (self._lasting(), self.files()) == before

    def _lasting(self) -> dict[str, list[dict[str, Any]]]:
        return {name: rows for name, rows in self.everything().items() if name != "attempt_counts"}
