"""Every page in a real browser: nothing complains, nothing comes from elsewhere, all can use it, and it is small."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from conftest import missing
from support import walk
from support.accessibility import assert_accessible
from support.servers import Server

FIRST_BYTES, LATER_BYTES = 60_000, 15_000
SCREENS = ({"width": 1280, "height": 900}, {"width": 360, "height": 740})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("site")) as server:
        server.log_in()
        walk.fill(server)
        walk.sign_in(server)
        yield server


@pytest.fixture(scope="module")
def paths(site: Server) -> list[str]:
    return walk.pages(walk.an_app(), site)


@pytest.fixture(scope="module")
def chromium(paths: list[str]) -> Iterator[Browser]:
    """After the paths: an app can't be made beside the event loop of the browser's driver."""
    path = shutil.which("chromium") or missing("Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page whose messages, requests and bytes are noted."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.page: Page = browser.new_context(base_url=url).new_page()
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self._bytes = 0
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url, url))
        self._devtools = self.page.context.new_cdp_session(self.page)
        self._devtools.send("Network.enable")
        self._devtools.on("Network.loadingFinished", self._received)

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def _asked(self, address: str, url: str) -> None:
        if not address.startswith((url, "data:", "blob:")):
            self.foreign.append(address)

    def _received(self, event: dict[str, Any]) -> None:
        self._bytes += int(event["encodedDataLength"])

    def visit(self, path: str, *, cached: bool) -> int:
        """Open the page, and return how many bytes came."""
        if not cached:
            self._devtools.send("Network.clearBrowserCache")
        self._bytes = 0
        answer = self.page.goto(path, wait_until="networkidle")
        assert answer, path
        assert answer.status == 200, path
        return self._bytes


def test_every_page_is_sound_small_and_usable(
    site: Server, paths: list[str], chromium: Browser, subtests: pytest.Subtests
) -> None:
    watched = Watched(chromium, site.url)
    watched.page.goto("/ui/login")
    watched.page.get_by_label("User name").fill("admin")
    watched.page.get_by_label("Password").fill("admin123")
    watched.page.get_by_role("button", name="Sign in").click()
    watched.page.wait_for_url("**/ui/")
    for path in paths:
        with subtests.test(path):
            _check(watched, path)


def _check(watched: Watched, path: str) -> None:
    watched.complaints.clear()
    watched.foreign.clear()
    page = watched.page
    assert watched.visit(path, cached=False) <= FIRST_BYTES
    assert watched.visit(path, cached=True) <= LATER_BYTES
    for screen in SCREENS:
        page.set_viewport_size(screen)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]
        assert_accessible(page)
        page.emulate_media(color_scheme="dark")
        assert_accessible(page, "color-contrast")
        page.emulate_media(color_scheme="light")
    assert (watched.complaints, watched.foreign) == ([], [])
