"""Clients written from the reference document, of a real server on a database of each kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from client.seed_client import SeedClient
from support.databases import Databases
from support.servers import Server

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real `bvo serve` in development mode for all tests of this folder: each uses names of its own."""
    databases: Databases = request.getfixturevalue(request.param)
    with Server(tmp_path_factory.mktemp("server"), BVO_DATABASE_URL=databases.fresh()) as running:
        yield running


@pytest.fixture
def anyone(server: Server) -> SeedClient:
    """The API without credentials."""
    return SeedClient(server.url)


@pytest.fixture(scope="session")
def admin_token(server: Server) -> str:
    """A token of the seeded administrator: hashing a password takes its time, so all tests share one."""
    token: str = SeedClient(server.url).login("admin", "admin123")["access_token"]
    return token


@pytest.fixture
def admin(anyone: SeedClient, admin_token: str) -> SeedClient:
    """The API as the seeded administrator."""
    return anyone.with_token(admin_token)


@pytest.fixture
def unique() -> Callable[[str], str]:
    """`unique("robot")`: a name that no other test of this server has."""
    return lambda stem: f"{stem}-{next(NUMBERS)}"
