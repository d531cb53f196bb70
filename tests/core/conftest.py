"""Fixtures for the core: plugins of third parties, apps with them, and the program inside this process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from flask import Flask

from bvo import create_app
from bvo.cli import main, program
from bvo.database import db
from support.databases import Databases, SqliteDatabases
from support.plugins import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A folder on `sys.path` to install third-party plugins into."""
    site = Site(tmp_path / "site")
    yield site
    site.close()


@pytest.fixture
def sqlite_app(sqlite: SqliteDatabases, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Builds apps on one fresh SQLite database, for what has nothing to do with the kind of database."""
    with disposing():
        url = sqlite.fresh()
        yield lambda **values: create_app({"BVO_DATABASE_URL": url, "BVO_DATA_DIR": tmp_path / "data", **values})


class Program:
    """`bvo` inside this process: `run` returns the exit code; what it printed is in `out` and `err`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def run(self, *arguments: str) -> int:
        program.__dict__.pop("_commands", None)  # the commands of the plugins that other tests installed
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as exit_, disposing():
            main(list(arguments))
        self.out, self.err = self._capsys.readouterr()
        return int(exit_.value.code or 0)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], logging_restored: None) -> Iterator[Program]:
    """The program, without configuration."""
    yield Program(capsys)
    program.__dict__.pop("_commands", None)


@pytest.fixture
def migrated(databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment of a server with a migrated database, as the program reads it; returns the database's URL."""
    return _configure(databases.fresh(), tmp_path, monkeypatch)


@pytest.fixture
def unmigrated(sqlite: SqliteDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment of a server with an empty database."""
    return _configure(sqlite.empty(), tmp_path, monkeypatch)


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root, alembic = logging.getLogger(), logging.getLogger("alembic")
    before = (root.handlers, root.level, alembic.level)
    yield
    root.handlers, level, alembic_level = before
    root.setLevel(level)
    alembic.setLevel(alembic_level)


class disposing:  # noqa: N801 - reads as the `with` statement that it is for
    """Closes the connections of every app that was used inside."""

    def __enter__(self) -> None:
        self._apps: dict[int, Flask] = {}
        flask.appcontext_pushed.connect(self._seen)

    def __exit__(self, *_: Any) -> None:
        flask.appcontext_pushed.disconnect(self._seen)
        for app in self._apps.values():
            with app.app_context():
                db.engine.dispose()

    def _seen(self, app: Flask, **_: Any) -> None:
        self._apps[id(app)] = app


def _configure(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("BVO_DATABASE_URL", url)
    monkeypatch.setenv("BVO_DATA_DIR", str(tmp_path / "data"))
    return url
