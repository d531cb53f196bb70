"""Sign in by an OpenID provider in a real browser, with a real server: no page may complain on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.accessibility import assert_accessible
from support.oidc import Provider
from support.servers import Server


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Server]:
    values = provider.environment(ROLES="bvo-ops=Read Only")
    with Server(tmp_path_factory.mktemp("site"), **values) as server:
        provider.client.redirect_uris.append(f"{server.url}/ui/oidc/callback")
        yield server


@pytest.fixture
def open_page(chromium: Browser, site: Server) -> Iterator[Callable[..., Page]]:
    """Opens a page in a new window; afterwards, no page may have complained."""
    windows: list[BrowserContext] = []
    complaints: list[str] = []

    def open_in_window(path: str, **options: Any) -> Page:
        windows.append(chromium.new_context(base_url=site.url, **options))
        page = windows[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_in_window
    for window in windows:
        window.close()
    assert [text for text in complaints if "status of 401" not in text] == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_signing_in_leads_to_the_page_that_was_wanted(open_page: Callable[..., Page], scripts: bool) -> None:
    page = open_page("/ui/jobs/?status=failed", java_script_enabled=scripts)
    page.get_by_role("link", name="Sign in with Example Ltd").click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/ui/jobs/?status=failed")
    expect(page.get_by_role("link", name="ada")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_whoever_cancels_may_try_again_on_a_page_that_is_accessible(
    open_page: Callable[..., Page], scheme: str
) -> None:
    page = open_page("/ui/login", color_scheme=scheme)
    page.get_by_role("link", name="Sign in with Example Ltd").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_have_text("You were not let in at Example Ltd, or cancelled there.")
    assert_accessible(page)
    page.get_by_role("link", name="Sign in with Example Ltd").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
