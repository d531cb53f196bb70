"""The pages in a real browser, against a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from support.accessibility import assert_accessible
from support.servers import Server

WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 360, "height": 740}


@pytest.fixture
def robot(site: Server) -> Iterator[Callable[..., dict[str, Any]]]:
    """Calls the API as a robot that has claimed a new job; `robot.job` is its number."""
    name = f"robot-{len(site.call('GET', '/api/robots'))}"
    made = site.call("POST", "/api/robots", json={"name": name})
    job = site.call("POST", "/api/jobs", json={"process_id": 1, "robot_id": made["id"], "parameters": {"who": "you"}})
    headers = {"X-Robot-Token": made["api_token"], "Authorization": ""}

    def call(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = site.call("POST", f"/api/runner{path}", json=body, headers=headers)
        return answer

    claimed = call("/next-job", {})["job"]
    headers["X-Lease-Token"] = claimed["lease_token"]
    call.job = job["id"]  # type: ignore[attr-defined]
    yield call
    if site.call("GET", f"/api/jobs/{job['id']}")["status"] == "running":
        call(f"/jobs/{job['id']}/update", {"status": "failed", "error_message": "the test is over"})


def test_a_running_job_shows_its_log_and_its_end_without_reloading(visit: Callable[..., Page], robot: Any) -> None:
    page = visit(f"/ui/jobs/{robot.job}")
    expect(page.locator("#head .badge")).to_have_text("Running")
    page.evaluate("window.stayed = true")
    robot(f"/jobs/{robot.job}/log", {"sequence": 1, "text": "first line\n"})
    expect(page.locator("#panel-log")).to_contain_text("first line", timeout=8000)
    robot(f"/jobs/{robot.job}/log", {"sequence": 2, "text": "second line\n"})
    expect(page.locator("#panel-log")).to_contain_text("second line", timeout=8000)
    robot(f"/jobs/{robot.job}/update", {"status": "completed", "result": {"booked": 238}})
    expect(page.locator("#head .badge")).to_have_text("Completed", timeout=8000)
    expect(page.locator("#panel-data")).to_contain_text("238")
    expect(page.locator("[hx-trigger^=every]")).to_have_count(0, timeout=8000)
    assert page.evaluate("window.stayed")


def test_what_has_not_changed_is_not_sent_again_and_not_touched(visit: Callable[..., Page], robot: Any) -> None:
    page = visit(f"/ui/jobs/{robot.job}")
    page.evaluate("for (const part of document.querySelectorAll('#head, .panel')) part.mine = true")
    with page.expect_response(lambda response: response.url.endswith("/live")) as answer:
        pass
    assert answer.value.status == 304
    with page.expect_request(lambda request: "/log?" in request.url):
        pass
    robot(f"/jobs/{robot.job}/log", {"sequence": 1, "text": "", "progress": {"fraction": 0.5, "message": "Half"}})
    expect(page.locator("#panel-course progress")).to_be_visible(timeout=8000)
    kept = "[...document.querySelectorAll('#head, .panel')].filter((part) => !part.mine).map((part) => part.id)"
    assert page.evaluate(kept) == ["panel-course"]


def test_what_one_has_opened_or_marked_stays_while_the_page_is_live(visit: Callable[..., Page], robot: Any) -> None:
    page = visit(f"/ui/jobs/{robot.job}")
    page.get_by_text("Details", exact=True).click()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#panel-course dl'))")
    robot(f"/jobs/{robot.job}/log", {"sequence": 1, "text": "", "progress": {"fraction": 0.5, "message": "Half"}})
    with page.expect_response(lambda response: response.url.endswith("/live") and response.status == 200):
        pass
    with page.expect_response(lambda response: response.url.endswith("/live") and response.status == 200):
        pass
    expect(page.locator("#panel-course progress")).to_have_count(0)
    page.evaluate("getSelection().removeAllRanges()")
    expect(page.locator("#panel-course progress")).to_be_visible(timeout=8000)
    assert page.evaluate("document.querySelector('#fields').open")


def test_a_log_that_was_scrolled_up_stays_there(visit: Callable[..., Page], robot: Any) -> None:
    lines = "".join(f"line {number}\n" for number in range(500))
    robot(f"/jobs/{robot.job}/log", {"sequence": 1, "text": lines})
    page = visit(f"/ui/jobs/{robot.job}")
    at_end = "Math.abs(log.scrollHeight - log.clientHeight - log.scrollTop) < 2"
    assert page.evaluate(f"(() => {{ const log = document.querySelector('.log'); return {at_end} }})()")
    robot(f"/jobs/{robot.job}/log", {"sequence": 2, "text": "the newest\n"})
    expect(page.locator(".log")).to_contain_text("the newest", timeout=8000)
    assert page.evaluate(f"(() => {{ const log = document.querySelector('.log'); return {at_end} }})()")
    page.evaluate("document.querySelector('.log').scrollTop = 40")
    robot(f"/jobs/{robot.job}/log", {"sequence": 3, "text": "the very newest\n"})
    expect(page.locator(".log")).to_contain_text("the very newest", timeout=8000)
    assert page.evaluate("document.querySelector('.log').scrollTop") == 40
    page.get_by_role("button", name="Newest lines").click()
    assert page.evaluate(f"(() => {{ const log = document.querySelector('.log'); return {at_end} }})()")
    page.get_by_role("link", name="Earlier lines").click()
    expect(page.locator("#L200")).to_have_count(1)
    page.get_by_role("link", name="Earlier lines").click()
    expect(page.locator(".log li")).to_have_count(502)
    expect(page.get_by_role("link", name="Earlier lines")).to_have_count(0)


def test_a_log_is_searched_and_filtered_while_it_goes_on(visit: Callable[..., Page], robot: Any) -> None:
    text = "".join(f"line {number}\n" for number in range(500))
    robot(f"/jobs/{robot.job}/log", {"sequence": 1, "text": f"ERROR first\n{text}WARNING second\n"})
    page = visit(f"/ui/jobs/{robot.job}")
    page.get_by_label("Search in the log").fill("line 49")
    expect(page.locator(".log li")).to_have_count(11)
    expect(page.locator(".log mark").first).to_have_text("line 49")
    expect(page.get_by_label("Search in the log")).to_be_focused()
    page.get_by_label("Search in the log").fill("")
    page.get_by_label("Level").select_option("Errors")
    expect(page.locator(".log li")).to_have_text(["1ERROR first"])
    robot(f"/jobs/{robot.job}/log", {"sequence": 2, "text": "fine\nERROR third\n"})
    expect(page.locator(".log li")).to_have_text(["1ERROR first", "504ERROR third"], timeout=8000)
    page.get_by_label("Go to line").fill("250")
    page.keyboard.press("Enter")
    page.wait_for_url("**/log?*line=250*")
    expect(page.locator("#L250")).to_be_in_viewport()


def test_a_log_reads_without_scripts(visit: Callable[..., Page], robot: Any) -> None:
    lines = "".join(f"line {number}\n" for number in range(500))
    robot(f"/jobs/{robot.job}/log", {"sequence": 1, "text": lines})
    page = visit(f"/ui/jobs/{robot.job}", java_script_enabled=False)
    page.get_by_role("link", name="Earlier lines").click()
    expect(page.locator("#L101")).to_contain_text("line 100")
    page.get_by_label("Search in the log").fill("line 7")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".log li").first).to_have_text("8line 7")


def test_cancelling_asks_first_and_escape_keeps_the_job(visit: Callable[..., Page], site: Server, robot: Any) -> None:
    job = site.call("POST", "/api/jobs", json={"process_id": 1})["id"]
    page = visit(f"/ui/jobs/{job}", java_script_enabled=False)
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert site.call("GET", f"/api/jobs/{job}")["status"] == "pending"
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel job").click()
    expect(page.locator("#head .badge")).to_have_text("Canceled")
    assert site.call("GET", f"/api/jobs/{job}")["status"] == "canceled"


def test_the_keyboard_alone_gets_from_login_to_a_job(chromium: Browser, site: Server, robot: Any) -> None:
    page = chromium.new_page(base_url=site.url)
    page.goto("/ui/")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type("admin123")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Jobs":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
    page.get_by_role("link", name=str(robot.job), exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Job #{robot.job}")
    page.close()


def test_the_dashboard_does_not_change_under_ones_hands(visit: Callable[..., Page], robot: Any) -> None:
    page = visit("/ui/jobs/")
    page.clock.install()
    page.goto("/ui/")
    answered = (
        "document.addEventListener('htmx:afterRequest', () => document.documentElement.classList.add('answered'))"
    )
    page.evaluate(answered)
    fresh = '<div class="cards" id="cards">all new</div>'

    def somebody_comes_meanwhile(route: Route) -> None:
        page.evaluate("document.querySelector('#cards a').focus()")
        route.fulfill(body=fresh)

    page.route("**/ui/cards*", somebody_comes_meanwhile, times=1)
    page.clock.run_for(11_000)
    expect(page.locator("html.answered")).to_have_count(1)
    assert page.evaluate("document.querySelector('#cards a') === document.activeElement")
    page.route("**/ui/cards*", lambda route: route.fulfill(body=fresh))
    page.evaluate("document.activeElement.blur()")
    page.clock.run_for(11_000)
    expect(page.locator("#cards")).to_have_text("all new")


def test_a_phone_has_a_menu_and_nothing_runs_over(visit: Callable[..., Page], robot: Any) -> None:
    page = visit("/ui/", viewport=NARROW)
    menu = page.get_by_role("navigation", name="Main")
    expect(menu).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    menu.get_by_role("link", name="Jobs").click()
    for path in ("/ui/", "/ui/jobs/", f"/ui/jobs/{robot.job}", "/ui/roles/1", "/ui/audit/", "/ui/packages/1"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_shows_only_when_asked_for_is_accessible(visit: Callable[..., Page], robot: Any, scheme: str) -> None:
    robot(f"/jobs/{robot.job}/log", {"sequence": 1, "text": "a line\nWARNING one\nERROR another\n" * 50})
    page = visit("/ui/robots/", color_scheme=scheme, viewport=NARROW)
    page.goto("/ui/robots/?search=none")
    assert_accessible(page)
    page.goto(f"/ui/jobs/{robot.job}/log?search=line&line=7")
    assert_accessible(page)
    page.goto(f"/ui/jobs/{robot.job}")
    page.get_by_role("button", name="Cancel", exact=True).click()
    assert_accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_login_form_is_accessible(chromium: Browser, site: Server, scheme: Any) -> None:
    page = chromium.new_page(base_url=site.url, color_scheme=scheme)
    page.goto("/ui/login")
    page.get_by_label("User name").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Invalid credentials")
    expect(page.get_by_label("User name")).to_have_value("nobody")
    assert_accessible(page)
    page.close()


def test_the_description_of_the_api_is_shown_without_a_cdn(visit: Callable[..., Page]) -> None:
    page = visit("/docs")
    expect(page.get_by_role("heading", name="BV Orchestrator")).to_be_visible(timeout=15_000)
    operation = page.locator("#operations-jobs-jobs_create")
    for _ in range(100):  # of so many operations, those are drawn that are looked at
        if operation.count():
            break
        page.mouse.wheel(0, 500)
        page.wait_for_timeout(50)
    operation.locator(".opblock-summary-control").click()
    expect(operation).to_contain_text("2026-11-01")  # from the request's example


def test_a_tool_of_the_reference_finds_its_confirmation_behind_a_fragment(
    visit: Callable[..., Page], site: Server
) -> None:
    begun = site.call("POST", "/api/sdk/auth/start", json={"machine_name": "DEV-HOST-01"})
    page = visit("/ui/")
    page.goto(f"/#/sdk-auth?session_id={begun['session_id']}")
    expect(page.get_by_text(begun["user_code"])).to_be_visible()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Confirmed")).to_be_visible()
    asked = {"session_id": begun["session_id"]}
    assert site.call("POST", "/api/sdk/auth/status", json=asked)["status"] == "confirmed"


def test_who_must_sign_in_first_returns_to_the_confirmation(chromium: Browser, site: Server) -> None:
    begun = site.call("POST", "/api/sdk/auth/start", json={"machine_name": "DEV-HOST-01"})
    window = chromium.new_context(base_url=site.url)
    page = window.new_page()
    page.goto(f"/#/sdk-auth?session_id={begun['session_id']}")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("admin123")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text(begun["user_code"])).to_be_visible()
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("heading", name="Denied")).to_be_visible()
    window.close()
