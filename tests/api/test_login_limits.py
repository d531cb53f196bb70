"""Guessing passwords: the more often it fails, the longer one waits; others are not kept out by it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from bvo import sessions, throttle
from bvo.database import utcnow
from support.api import Api
from support.problems import refused
from support.state import State


def guess(client: Api, username: str = "admin", password: str = "wrong", address: str = "192.0.2.1") -> TestResponse:
    form = {"username": username, "password": password}
    return client.post("/api/auth/login", data=form, environ_base={"REMOTE_ADDR": address})


class Clock:
    """Stands still, so that waits are exact however slow the machine is."""

    def __init__(self) -> None:
        self.now = utcnow()

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttle, "utcnow", clock)
    return clock


def test_the_eleventh_guess_waits_and_the_right_password_too(anonymous: Api) -> None:
    for _ in range(10):
        refused(guess(anonymous), 401, "Invalid credentials")
    answer = guess(anonymous)
    refused(answer, 429, "Try again in 30 s")
    assert answer.headers["Retry-After"] == "30"
    refused(guess(anonymous, password="admin123"), 429)


def test_the_user_gets_in_from_another_address_meanwhile(anonymous: Api) -> None:
    for _ in range(12):
        guess(anonymous)
    anonymous.ok(guess(anonymous, password="admin123", address="192.0.2.2"))


def test_an_address_that_tries_many_names_waits(anonymous: Api) -> None:
    for number in range(10):
        refused(guess(anonymous, username=f"user-{number}"), 401)
    refused(guess(anonymous, username="user-11"), 429)
    refused(guess(anonymous, username="user-11", address="192.0.2.2"), 401)


def test_each_failure_after_a_wait_doubles_it(clock: Clock, anonymous: Api) -> None:
    for _ in range(10):
        guess(anonymous)
    waits = []
    for _ in range(7):
        waits.append(int(guess(anonymous).headers["Retry-After"]))
        clock.go_on(seconds=waits[-1])
        refused(guess(anonymous), 401)
    assert waits == [30, 60, 120, 240, 480, 900, 900]


def test_a_success_starts_anew(anonymous: Api) -> None:
    for _ in range(3):
        for _ in range(9):
            refused(guess(anonymous), 401)
        anonymous.ok(guess(anonymous, password="admin123"))
        anonymous.client.environ_base["REMOTE_ADDR"] = "127.0.0.1"
        with anonymous.client.application.app_context():
            throttle.clear(throttle.Counter("login from", "192.0.2.1"))


def test_guesses_are_forgotten_after_a_while(clock: Clock, anonymous: Api) -> None:
    for _ in range(9):
        refused(guess(anonymous), 401)
    clock.go_on(minutes=31)
    for _ in range(10):
        refused(guess(anonymous), 401)
    refused(guess(anonymous), 429)


def test_guesses_from_everywhere_are_counted_for_the_account(anonymous: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PER_ACCOUNT", 12)
    anonymous.ok(guess(anonymous, password="admin123", address="198.51.100.1"))
    for number in range(12):
        refused(guess(anonymous, address=f"192.0.2.{number}"), 401)
    refused(guess(anonymous, address="192.0.2.99"), 429)
    anonymous.ok(guess(anonymous, password="admin123", address="198.51.100.1"))  # known from before


def test_many_guesses_at_once_are_no_way_around(app: Flask) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: guess(Api(app.test_client())).status_code, range(24)))
    assert sorted(answers) == [401] * 10 + [429] * 14


def test_what_was_typed_is_not_kept(anonymous: Api, state: State) -> None:
    guess(anonymous, username="typed-into-the-wrong-field")
    assert "typed-into" not in str(state.rows("attempt_counts"))


def test_counters_that_have_forgotten_everything_are_removed(
    app: Flask, anonymous: Api, clock: Clock, state: State
) -> None:
    guess(anonymous)
    clock.go_on(days=31)
    with app.app_context():
        throttle.prune()
    assert state.rows("attempt_counts") == []


def test_the_login_page_says_how_long_to_wait(app: Flask, anonymous: Api) -> None:
    browser = app.test_client()
    form = {"username": "admin", "password": "wrong"}
    for _ in range(10):
        browser.post("/ui/login", data=form, headers={"Accept": "text/html"})
    page = browser.post("/ui/login", data=form, headers={"Accept": "text/html"})
    assert page.status_code == 429
    assert "Try again in 30 s" in page.text
    assert page.headers["Retry-After"] == "30"


@pytest.mark.parametrize(
    ("path", "body", "free"),
    [
        ("/api/auth/forgot", {"username": "nobody", "email": "a@example.com"}, 10),
        ("/api/auth/reset", {"token": "nope", "newPassword": "a long passphrase"}, 10),
        ("/api/sdk/auth/start", {"machine_name": "DEV-1"}, 60),
    ],
)
def test_what_everybody_may_call_is_limited_for_each_address(
    anonymous: Api, path: str, body: dict[str, Any], free: int
) -> None:
    statuses = {anonymous.post(path, body).status_code for _ in range(free)}
    assert 429 not in statuses
    refused(anonymous.post(path, body), 429, "Try again in")
    anonymous.client.environ_base["REMOTE_ADDR"] = "192.0.2.2"
    assert anonymous.post(path, body).status_code != 429


def test_registering_is_limited_for_each_address(anonymous: Api) -> None:
    body = {"email": None, "password": "a long passphrase"}
    for number in range(10):
        anonymous.ok(anonymous.post("/api/auth/register", {**body, "username": f"user-{number}"}))
    refused(anonymous.post("/api/auth/register", {**body, "username": "one-more"}), 429)


def test_behind_a_proxy_the_address_is_that_of_the_client(make_app: Callable[..., Flask]) -> None:
    for hops, expected in ((0, "127.0.0.1"), (1, "198.51.100.7")):
        app = make_app(BVO_PROXY_HOPS=hops)
        anonymous = Api(app.test_client())
        form = {"username": "admin", "password": "wrong"}
        header = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
        refused(anonymous.post("/api/auth/login", data=form, headers=header), 401)
        assert State(app).rows("events")[-1]["ip_address"] == expected


def test_the_pages_for_a_forgotten_password_are_limited_too(app: Flask) -> None:
    browser, form = app.test_client(), {"username": "nobody", "email": "a@example.com"}
    statuses = [browser.post("/ui/forgot", data=form, headers={"Accept": "text/html"}).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
