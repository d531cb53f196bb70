"""The level of the log follows the settings while the process runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from bvo import logs, settings
from bvo.database import transaction
from bvo.worker import Worker
from support.servers import Server

pytestmark = pytest.mark.usefixtures("logging_restored")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(logs, "time", made)
    return made


@pytest.fixture
def following(sqlite_app: Callable[..., Flask], clock: Clock) -> Flask:
    app = sqlite_app()
    logs.follow(app)
    return app


def choose(app: Flask, level: str) -> None:
    with app.app_context(), transaction() as session:
        settings.write(session, "logging", {"level": level})


def levels() -> tuple[str, str]:
    """Of the product, and of the libraries."""
    names = (logging.getLogger(name).getEffectiveLevel() for name in ("bvo_jobs", "urllib3"))
    product, libraries = map(logging.getLevelName, names)
    return product, libraries


@pytest.mark.shows_setting("logging.level")
@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ("DEBUG", "INFO")),
        ("info", ("INFO", "INFO")),
        ("warning", ("WARNING", "WARNING")),
        ("error", ("ERROR", "ERROR")),
    ],
)
def test_a_request_takes_over_the_level(following: Flask, level: str, expected: tuple[str, str]) -> None:
    choose(following, level)
    following.test_client().get("/healthz")
    assert levels() == expected


def test_the_worker_takes_over_the_level(following: Flask) -> None:
    choose(following, "error")
    Worker(following).step()
    assert levels() == ("ERROR", "ERROR")


def test_the_database_is_asked_once_in_five_seconds(following: Flask, clock: Clock) -> None:
    client: FlaskClient = following.test_client()
    for moment, level, expected in ((100, "error", "ERROR"), (104.9, "info", "ERROR"), (105, "info", "INFO")):
        clock.now = moment
        choose(following, level)
        client.get("/healthz")
        assert levels()[0] == expected


def test_a_database_that_fails_fails_no_request_for_the_levels_sake(following: Flask) -> None:
    with following.app_context(), transaction() as session:
        session.execute(text("DROP TABLE settings"))
    assert following.test_client().get("/healthz").status_code == 200


def test_an_app_that_is_no_process_of_its_own_changes_no_level(sqlite_app: Callable[..., Flask], clock: Clock) -> None:
    app, before = sqlite_app(), levels()
    choose(app, "error")
    app.test_client().get("/healthz")
    Worker(app).step()
    assert levels() == before


def test_a_running_server_logs_requests_from_the_change_to_debug_on(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.log_in()
    server.call("GET", "/api/auth/me", params={"token": "canary"})
    assert "/api/auth/me" not in server.log()
    server.call("PUT", "/api/settings/logging", json={"level": "debug"})
    deadline = time.monotonic() + 30
    while "GET /api/auth/me: 200" not in server.log():
        assert time.monotonic() < deadline, server.log()
        server.call("GET", "/api/auth/me", params={"token": "canary"})
        time.sleep(0.1)
    assert "canary" not in server.log()
