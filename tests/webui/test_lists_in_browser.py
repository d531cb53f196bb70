"""Lists, the palette and the dashboard in a real browser: what moves by itself, and what does not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from conftest import missing
from support.api import zipped
from support.servers import Server

SOON = 20_000
"""Milliseconds: a list asks every five seconds, and the machine may be busy."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("site")) as server:
        server.log_in()
        server.call("POST", "/api/packages/upload", files={"file": ("demo_1.0.0.zip", zipped({"main.py": ""}))})
        server.call("POST", "/api/processes", json={"name": "Demo", "package_id": 1, "script_path": "main.py"})
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or missing("Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, site: Server) -> Iterator[Page]:
    complaints: list[str] = []
    window = chromium.new_context(base_url=site.url)
    page = window.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/ui/login")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("admin123")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/ui/")
    yield page
    window.close()
    assert not complaints


def a_job(site: Server) -> int:
    return int(site.call("POST", "/api/jobs", json={"process_id": 1})["id"])


def test_a_list_changes_in_place_and_announces_what_is_new(page: Page, site: Server) -> None:
    shown = a_job(site)
    page.goto("/ui/jobs/")
    first = page.locator("tbody tr").first
    expect(first).to_contain_text(str(shown))
    page.evaluate("document.querySelector('tbody tr').mine = true")
    site.call("POST", f"/api/jobs/{shown}/cancel")
    a_job(site)
    expect(first.locator(".badge")).to_have_text("Canceled", timeout=SOON)
    assert page.evaluate("document.querySelector('tbody tr').mine")
    expect(first).to_contain_text(str(shown))
    news = page.get_by_role("link", name="1 new: show")
    expect(news).to_be_visible(timeout=SOON)
    news.click()
    expect(page.locator("tbody tr").first).to_contain_text(str(shown + 1))


def test_selected_rows_are_acted_upon_after_a_look_at_them(page: Page, site: Server) -> None:
    jobs = [a_job(site) for _ in range(3)]
    page.goto("/ui/jobs/?status=pending")
    bar = page.locator("#bulk")
    expect(bar).to_be_hidden()
    for job in jobs[:2]:
        page.get_by_role("checkbox", name=f"Select #{job}", exact=True).check()
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel: 2 of 2 chosen")
    page.get_by_role("button", name="Cancel 2").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel: 2 done")
    states = [site.call("GET", f"/api/jobs/{job}")["status"] for job in jobs]
    assert states == ["canceled", "canceled", "pending"]


def test_the_keyboard_finds_anything_by_its_name(page: Page) -> None:
    page.keyboard.press("/")
    field = page.get_by_role("combobox", name="Go to")
    expect(field).to_be_focused()
    field.fill("demo")
    expect(page.get_by_role("option", name="demo Package")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name="Demo Process")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Demo")
    page.keyboard.press("Control+k")
    expect(field).to_be_visible()
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()


def test_times_are_in_the_viewers_zone_and_tell_utc_too(chromium: Browser, site: Server, page: Page) -> None:
    a_job(site)
    window = chromium.new_context(
        base_url=site.url, timezone_id="Asia/Tokyo", locale="en-GB", storage_state=page.context.storage_state()
    )
    other = window.new_page()
    other.goto("/ui/jobs/?page_size=1")
    local, _, utc = (other.locator("td.time time").first.get_attribute("title") or "").rpartition(", ")
    window.close()
    there = datetime.strptime(f"{local} +0000", "%d %b %Y, %H:%M:%S %z")
    here = datetime.strptime(utc.replace("UTC", "+0000"), "%Y-%m-%d %H:%M:%S %z")
    assert there - here == timedelta(hours=9)
