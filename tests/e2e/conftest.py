"""One real server and one real runner for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.runners import Runner
from support.servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as running:
        running.log_in()
        yield running


@pytest.fixture(scope="module")
def runner(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with Runner(server, tmp_path_factory.mktemp("runner") / "home") as running:
        yield running
