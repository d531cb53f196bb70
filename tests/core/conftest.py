"""Fixtures for the core: plugins of third parties, apps with them, and the program inside this process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from flask import Flask

from bvo import create_app
from bvo.cli import program
from conftest import missing
from support.databases import Databases, SqliteDatabases
from support.plugins import Site
from support.program import Program, disposing
from support.s3 import S3, Bucket


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


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str], logging_restored: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Program]:
    """The program, without configuration, in an empty folder."""
    monkeypatch.chdir(tmp_path)
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


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    if find_spec("moto") is None:
        missing("a server that speaks S3: pip install --group test")
    with S3() as server:
        yield server


@pytest.fixture
def bucket(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, and the environment of a server that keeps packages in it."""
    made = s3.new_bucket()
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def logging_restored() -> Iterator[None]:
    known = [logging.getLogger(name) for name in (None, *logging.root.manager.loggerDict)]
    handlers, levels = logging.root.handlers, [logger.level for logger in known]
    yield
    logging.root.handlers = handlers
    for logger, level in zip(known, levels, strict=True):
        logger.setLevel(level)


def _configure(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("BVO_DATABASE_URL", url)
    monkeypatch.setenv("BVO_DATA_DIR", str(tmp_path / "data"))
    return url
