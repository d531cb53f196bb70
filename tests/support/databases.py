"""A fresh, migrated and seeded database for each test: a copy of one that was migrated once."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import Protocol

import psycopg

from bvo import create_app, migrations
from bvo.database import db
from support.postgres import Cluster

RENEWAL = """
CREATE SCHEMA pristine;
CREATE TABLE pristine.sequences AS SELECT sequencename AS name, last_value FROM pg_sequences;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE TABLE pristine.%1$I AS TABLE public.%1$I', name);
    END LOOP;
END $$;
CREATE FUNCTION pristine.renew() RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text; value bigint; is_used bool;
BEGIN
    SET LOCAL session_replication_role = replica; -- no foreign keys and no triggers meanwhile
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO is_used;
        IF is_used THEN EXECUTE format('DELETE FROM public.%I', name); END IF;
        EXECUTE format('INSERT INTO public.%1$I SELECT * FROM pristine.%1$I', name);
    END LOOP;
    FOR name, value IN SELECT * FROM pristine.sequences LOOP
        PERFORM setval(name::regclass, coalesce(value, 1), value IS NOT NULL);
    END LOOP;
END $$;
"""
"""Much faster than another copy of the template."""


class Databases(Protocol):
    """Gives the URLs of fresh databases, with or without tables, and makes used ones as good as fresh with `renew`.

    `restore` brings back what `save` has seen. None of them may happen while the app has connections.
    """

    def fresh(self) -> str: ...

    def renew(self, url: str) -> None: ...

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
        url = self.empty()
        self.renew(url)
        return url

    def renew(self, url: str) -> None:
        shutil.copyfile(self._template, _file(url))

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
        with psycopg.connect(self._cluster.database(self._template)) as connection:
            connection.execute(RENEWAL)

    def fresh(self) -> str:
        return self._cluster.database(self._make(self._template))

    def renew(self, url: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("SELECT pristine.renew()")

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
