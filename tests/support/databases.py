"""A fresh, migrated and seeded database for each test: a copy of one that was migrated once."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import Protocol

from bvo import create_app, migrations
from bvo.database import db
from support.postgres import Cluster


class Databases(Protocol):
    """Gives the URLs of fresh databases, with or without tables; `restore` brings back what `save` has seen.

    Neither may happen while the app has connections.
    """

    def fresh(self) -> str: ...

    def empty(self) -> str: ...

    def save(self, url: str) -> None: ...

    def restore(self, url: str) -> None: ...


class SqliteDatabases:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._template = folder / "template.db"
        migrate(f"sqlite:///{self._template}", folder)

    def fresh(self) -> str:
        target = self._folder / f"{next(self._numbers)}.db"
        shutil.copyfile(self._template, target)
        return f"sqlite:///{target}"

    def empty(self) -> str:
        return f"sqlite:///{self._folder / f'{next(self._numbers)}.db'}"

    def save(self, url: str) -> None:
        shutil.copyfile(_file(url), _file(url).with_suffix(".saved"))

    def restore(self, url: str) -> None:
        shutil.copyfile(_file(url).with_suffix(".saved"), _file(url))


class PostgresDatabases:
    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._numbers = itertools.count()
        self._prefix = f"bvo_test_{os.getpid()}"
        self._saved: dict[str, str] = {}
        self._template = self._make("template0")
        migrate(self._cluster.database(self._template), folder)

    def fresh(self) -> str:
        return self._cluster.database(self._make(self._template))

    def empty(self) -> str:
        return self._cluster.database(self._make("template0"))

    def save(self, url: str) -> None:
        self._saved[url] = self._make(_name(url))

    def restore(self, url: str) -> None:
        self._cluster.execute(f"DROP DATABASE {_name(url)} WITH (FORCE)")
        self._cluster.execute(f"CREATE DATABASE {_name(url)} TEMPLATE {self._saved[url]}")

    def drop_all(self) -> None:
        for number in range(next(self._numbers)):
            self._cluster.execute(f"DROP DATABASE IF EXISTS {self._prefix}_{number} WITH (FORCE)")

    def _make(self, template: str) -> str:
        name = f"{self._prefix}_{next(self._numbers)}"
        self._cluster.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def migrate(url: str, folder: Path) -> None:
    """Make the tables and the rows that must exist, as `bvo db upgrade` does."""
    app = create_app({"BVO_DATABASE_URL": url, "BVO_DATA_DIR": folder / "data"})
    with app.app_context():
        migrations.upgrade()
    with app.app_context():  # the session above gave its connection back when its context ended
        db.engine.dispose()
