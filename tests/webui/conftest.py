"""Fixtures for pages: a browser without scripts, a real one against a real server, and records of one more plugin."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, sync_playwright

from bvo import registry
from conftest import missing
from support.api import zipped
from support.browser import Browser
from support.servers import Server

WIDE = {"width": 1280, "height": 800}
REFUSED = ("status of 409", "status of 412", "status of 422")
"""A browser calls a form that comes back an error, though the page is what it should be."""


def is_complaint(message: ConsoleMessage) -> bool:
    return message.type == "error" and not any(words in message.text for words in REFUSED)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a package, a process, a robot and a job that the robot is running."""
    with Server(tmp_path_factory.mktemp("site")) as server:
        server.log_in()
        server.call("POST", "/api/packages/upload", files={"file": ("demo_1.0.0.zip", zipped({"main.py": ""}))})
        body = {"name": "Demo", "package_id": 1, "script_path": "main.py"}
        server.call("POST", "/api/processes", json=body)
        server.call("POST", "/api/queues", json={"name": "invoices"})
        server.call("POST", "/api/queue-items", json={"queue_id": 1, "payload": {"amount": 9.5, "lines": [1, 2]}})
        server.call("PUT", "/api/queue-items/1", json={"status": "in_progress"})
        server.call("PUT", "/api/queue-items/1", json={"status": "failed", "error_message": "row 7 is bad"})
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    path = shutil.which("chromium") or missing("Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Chromium, site: Server) -> Iterator[Callable[..., Page]]:
    """Opens a page in a new window, signed in; afterwards, no page may have complained."""
    windows: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(path: str, **options: Any) -> Page:
        window = chromium.new_context(base_url=site.url, **{"viewport": WIDE, **options})
        windows.append(window)
        page = window.new_page()
        page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"/ui/login?next={path}")
        page.get_by_label("User name").fill("admin")
        page.get_by_label("Password").fill("admin123")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: urlsplit(url).path == path)
        return page

    yield open_page
    for window in windows:
        window.close()
    assert not complaints


@pytest.fixture
def visitor(app: Flask) -> Browser:
    """With cookies of its own: who calls the API in a test is not signed in by it."""
    return Browser(app.test_client())


@pytest.fixture
def signed_in(visitor: Browser) -> Browser:
    visitor.log_in()
    return visitor


@pytest.fixture
def contribute(app: Flask) -> Iterator[Callable[..., None]]:
    """Adds a record to the running app for the time of a test, as one more of a plugin, the first or the named one."""
    contributed: registry.Registry = app.extensions["bvo"]
    before = {kind: dict(records) for kind, records in contributed.records.items()}

    def add(record: Any, name: str = "") -> None:
        plugin = next(plugin for plugin in contributed.plugins if name in ("", plugin.name))
        contributed.records.setdefault(type(record), {})[record.name] = [(plugin, record)]

    yield add
    contributed.records.clear()
    contributed.records.update(before)
