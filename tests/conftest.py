"""Fixtures: the app on a fresh database of each kind, clients of it, and real server processes."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher, profiles
from flask import Flask
from flask.testing import FlaskClient

from bvo import create_app, denials, sessions
from bvo.database import db
from bvo.event_log import Horizon
from bvo.observers import Observers
from bvo_access import passwords
from bvo_hookspecs import Principal
from support.api import Api
from support.databases import Databases, PostgresDatabases, SqliteDatabases
from support.postgres import Cluster
from support.servers import Server
from support.state import State, store_of


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fuzzing", "tests/api/test_openapi_fuzz.py")
    group.addoption("--fuzz-examples", type=int, help="random requests for each operation, on both databases")
    group.addoption("--fuzz-seed", type=int, help="the seed of an earlier run with --fuzz-examples")


def missing(part: str) -> None:
    """Skip a test whose surroundings lack `part`; in CI, fail: there nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"CI lacks {part}")
    pytest.skip(f"this machine lacks {part}")


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BVO_") or name == "DATABASE_URL"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _hashes_that_cost_little() -> Iterator[None]:
    """Passwords are hashed thousands of times; what the real cost is, a test of servers' processes shows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher.from_parameters(profiles.CHEAPEST))
        yield


@pytest.fixture(scope="session", autouse=True)
def _garbage_is_looked_for_seldom() -> Iterator[None]:
    """An app is so many objects that to look through them again and again takes a tenth of the time."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    yield
    gc.set_threshold(*usual)


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresDatabases]:
    if not Cluster.available():
        missing("PostgreSQL: install it, or set TEST_DATABASE_URL")
    cluster = Cluster()
    cluster.start()
    databases = PostgresDatabases(cluster, tmp_path_factory.mktemp("postgres"))
    yield databases
    if cluster.external:
        databases.drop_all()
    cluster.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Fresh databases of each kind: a test that asks for them, or for an app, runs once on each."""
    found: Databases = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def make_app(databases: Databases, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Builds apps on one fresh database, which is not that of `app`; arguments are `BVO_*` values."""
    url, made = databases.fresh(), []

    def make(**values: Any) -> Flask:
        app = create_app({"BVO_DATABASE_URL": url, "BVO_DATA_DIR": tmp_path / "data", **values})
        app.testing = True
        made.append(app)
        return app

    yield make
    for app in made:
        disconnect(app)


@pytest.fixture(scope="session")
def lend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Databases], Flask]]:
    """One app for each kind of database, lent to one test after the other, each time as good as new.

    To build an app takes longer than most tests.
    """
    with ExitStack() as ends:

        @cache
        def made(databases: Databases) -> tuple[Flask, str]:
            url = databases.fresh()
            app = create_app({"BVO_DATABASE_URL": url, "BVO_DATA_DIR": tmp_path_factory.mktemp("data")})
            ends.callback(disconnect, app)
            gc.freeze()
            return app, url

        def lent(databases: Databases) -> Flask:
            app, url = made(databases)
            disconnect(app)
            databases.renew(url)
            shutil.rmtree(store_of(app), ignore_errors=True)
            denials.init_app(app)  # forgets what was denied
            app.extensions["bvo_webui_observers"] = Observers()
            app.extensions["bvo_events_horizon"] = Horizon()
            app.testing = True
            return app

        yield lent


def disconnect(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(databases: Databases, lend: Callable[[Databases], Flask]) -> Flask:
    """The app with every built-in plugin on a fresh, migrated and seeded database."""
    return lend(databases)


@pytest.fixture
def app_context(app: Flask) -> Iterator[Flask]:
    """The app inside its context, as the worker and the CLI have it."""
    with app.app_context():
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def state(app: Flask) -> State:
    """What the app keeps."""
    return State(app)


@pytest.fixture
def anonymous(client: FlaskClient) -> Api:
    return Api(client)


@pytest.fixture
def admin(app: Flask) -> Api:
    """The API as the development administrator."""
    return as_admin(app)


@pytest.fixture
def user_with(admin: Api) -> Callable[..., Api]:
    """The API as a new user with these permissions, e.g. `user_with("jobs:view")`."""

    def make(*permissions: str) -> Api:
        number = len(admin.ok(admin.get("/api/access/users")))
        user = admin.ok(admin.post("/api/access/users", {"username": f"user-{number}", "password": "correct horse"}))
        rows: dict[str, dict[str, Any]] = {}
        for permission in permissions:
            artifact, _, operation = permission.partition(":")
            rows.setdefault(artifact, {"artifact": artifact})[f"can_{operation}"] = True
        body = {"name": f"role-{number}", "permissions": list(rows.values())}
        role = admin.ok(admin.post("/api/access/roles", body))
        admin.ok(admin.post(f"/api/access/users/{user['id']}/roles", {"role_ids": [role["id"]]}))
        return Api(admin.client, Authorization=f"Bearer {token_of(admin.client.application, user['id'])}")

    return make


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A real `bvo serve` on SQLite, in development mode."""
    with Server(tmp_path) as running:
        yield running


def as_admin(app: Flask) -> Api:
    return Api(app.test_client(), Authorization=f"Bearer {token_of(app, 1)}")


def token_of(app: Flask, user_id: int) -> str:
    with app.app_context():
        return sessions.issue(Principal(kind="user", id=user_id, name=f"user {user_id}")).access
