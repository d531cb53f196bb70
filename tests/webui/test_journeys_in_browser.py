"""What people do in a day, each from its beginning to its end: a browser, `bvo serve` and `bvo runner`, all real."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from support.api import zipped
from support.runners import Runner, wait_for_job
from support.servers import Server, queue_job

SOON = 60_000
"""Milliseconds: the machine may be busy."""
GATED = """
import pathlib, time, bvo_job
gate = pathlib.Path(bvo_job.parameters["gate"])
print("before the gate", flush=True)
while not gate.exists():
    time.sleep(0.05)
print("behind the gate", flush=True)
bvo_job.set_result({"rows": 238})
"""
USES_A_SECRET = """
import bvo_job
key = bvo_job.asset("bank-key")
print(f"the key {key} has {len(key)} characters")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with nothing in it."""
    with Server(tmp_path_factory.mktemp("site")) as server:
        server.log_in()
        yield server


@pytest.fixture
def runner(site: Server, tmp_path: Path) -> Iterator[Runner]:
    with Runner(site, tmp_path / "home", f"robot-of-{tmp_path.name}") as running:
        yield running


def state(page: Page, expected: str) -> None:
    expect(page.locator("#head .badge")).to_have_text(expected, timeout=SOON)


def submit(page: Page) -> None:
    page.locator("form.form .primary").click()


def test_from_signing_in_to_the_audit_log(visit: Callable[..., Page], runner: Runner, tmp_path: Path) -> None:
    page = visit("/ui/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")

    archive = tmp_path / "invoices_1.0.0.zip"
    archive.write_bytes(zipped({"main.py": GATED}))
    page.get_by_role("link", name="Packages", exact=True).click()
    page.get_by_role("link", name="Upload it").click()
    page.get_by_label("File").set_input_files(archive)
    submit(page)
    told = page.locator(".toast")
    expect(told).to_contain_text("Package invoices was created.")

    told.get_by_role("link", name="invoices").click()
    page.get_by_role("link", name="Make a process of it").click()
    page.get_by_label("Name").fill("Book invoices")
    submit(page)
    expect(told).to_contain_text("Process Book invoices was created.")

    gate = tmp_path / "gate"
    page.get_by_role("link", name="Run with parameters").click()
    page.get_by_label("Parameters").fill(f'{{"gate": "{gate.as_posix()}"}}')
    submit(page)
    expect(told).to_contain_text("was created.")
    number = page.url.rpartition("/")[2]

    page.evaluate("window.stayed = true")
    state(page, "Running")
    log = page.locator("#panel-log")
    expect(log).to_contain_text("before the gate", timeout=SOON)
    expect(log).not_to_contain_text("behind the gate")
    gate.touch()
    state(page, "Completed")
    expect(log).to_contain_text("behind the gate", timeout=SOON)
    expect(page.locator("#panel-data")).to_contain_text("238")
    assert page.evaluate("window.stayed"), "all of this came without a reload"

    page.get_by_role("link", name="Audit trail").click()
    rows = page.locator("#rows tbody tr")
    expect(rows.filter(has_text="User admin created Job")).to_have_count(1)
    page.goto(f"/ui/audit/?entity_type=job&entity_id={number}&action=job.completed")
    rows.first.locator("a.leading").click()
    expect(page.locator("#panel-changes")).to_contain_text("Completed", ignore_case=True)
    expect(page.locator("main").get_by_role("link", name=f"#{number}").first).to_be_visible()


def test_a_file_that_is_dropped_on_its_field_is_uploaded(visit: Callable[..., Page], site: Server) -> None:
    page = visit("/ui/packages/new")
    content = list(zipped({"main.py": "print(1)"}))
    page.evaluate(
        """content => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(content)], "dropped_1.0.0.zip", { type: "application/zip" }));
            const field = document.querySelector("input[type=file]");
            field.dispatchEvent(new DragEvent("dragenter", { dataTransfer: carried, bubbles: true }));
            field.files = carried.files;
            field.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true }));
        }""",
        content,
    )
    expect(page.locator("input[type=file]")).not_to_have_class(re.compile("over"))
    submit(page)
    expect(page.locator(".toast")).to_contain_text("Package dropped was created.")
    assert len(site.call("GET", "/api/packages?name=dropped")) == 1


def test_a_running_job_is_cancelled_and_its_script_stops(
    visit: Callable[..., Page], site: Server, runner: Runner, tmp_path: Path
) -> None:
    job = queue_job(site, "Endless", {"main.py": GATED}, parameters={"gate": (tmp_path / "never").as_posix()})
    page = visit(f"/ui/jobs/{job}")
    state(page, "Running")
    expect(page.locator("#panel-log")).to_contain_text("before the gate", timeout=SOON)
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Its script is stopped.")
    dialog.get_by_role("button", name="Cancel job").click()
    state(page, "Canceled")
    expect(page.locator(".toast")).to_contain_text(f"Job #{job}: “Cancel” is done.")
    course = page.locator("#panel-course")
    expect(course).to_contain_text("by admin")
    for _ in range(30):  # a page of a job that has ended asks for nothing more
        if "The script has stopped" in course.inner_text():
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(course).to_contain_text("The script has stopped")
    assert site.call("GET", f"/api/jobs/{job}")["canceled_by"] == "admin"


def test_a_secret_is_made_is_never_shown_and_reaches_a_script(
    visit: Callable[..., Page], site: Server, runner: Runner
) -> None:
    page = visit("/ui/assets/")
    page.get_by_role("link", name="Create the first one").click()
    page.get_by_role("link", name="Secret").click()
    page.get_by_label("Name").fill("bank-key")
    value = page.get_by_label("Value")
    expect(value).to_have_attribute("type", "password")
    value.fill("canary-4711")
    submit(page)
    expect(page.locator(".toast")).to_contain_text("Asset bank-key was created.")
    assert "canary-4711" not in page.content()
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Value")).to_have_value("")
    assert "canary-4711" not in page.content()
    page.get_by_label("Description").fill("For the bank")
    submit(page)
    job = queue_job(site, "Pays", {"main.py": USES_A_SECRET})
    assert wait_for_job(site, job)["status"] == "completed"
    page.goto(f"/ui/jobs/{job}")
    expect(page.locator("#panel-log")).to_contain_text("the key *** has 11 characters")


def test_a_role_that_is_changed_shows_its_holder_more(
    visit: Callable[..., Page], chromium: Browser, site: Server
) -> None:
    role = site.call("POST", "/api/access/roles", json={"name": "Watcher", "permissions": []})["id"]
    user = site.call("POST", "/api/access/users", json={"username": "dana", "password": "correct horse"})["id"]
    page = visit(f"/ui/users/{user}")
    page.get_by_role("link", name="Give the first role").click()
    page.get_by_label("Watcher").check()
    submit(page)
    expect(page.locator("#panel-user_roles")).to_contain_text("Watcher")

    hers = chromium.new_context(base_url=site.url)
    other = hers.new_page()
    other.goto("/ui/login")
    other.get_by_label("User name").fill("dana")
    other.get_by_label("Password").fill("correct horse")
    other.get_by_role("button", name="Sign in").click()
    menu = other.get_by_role("navigation", name="Main")
    expect(other.get_by_text("Welcome, dana")).to_be_visible()
    expect(menu.get_by_role("link", name="Queues")).to_have_count(0)

    page.goto(f"/ui/roles/{role}/edit")
    page.get_by_role("checkbox", name="Queues: View", exact=True).check()
    submit(page)
    expect(page.locator(".toast")).to_contain_text("Role Watcher was saved.")
    other.reload()
    menu.get_by_role("link", name="Queues").click()
    expect(other.get_by_text("that needs queues:create")).to_be_visible()
    hers.close()


def test_items_that_failed_are_tried_again_together(visit: Callable[..., Page], site: Server) -> None:
    queue = site.call("POST", "/api/queues", json={"name": "orders"})["id"]
    reasons = ("row 1 is bad", "row 2 is bad", "no such customer")
    for number, reason in enumerate(reasons):
        body = {"queue_id": queue, "reference": f"O-{number}"}
        item = site.call("POST", "/api/queue-items", json=body)["id"]
        site.call("PUT", f"/api/queue-items/{item}", json={"status": "in_progress"})
        site.call("PUT", f"/api/queue-items/{item}", json={"status": "failed", "error_message": reason})

    page = visit(f"/ui/queues/{queue}")
    failures = page.locator("#panel-failures")
    failures.get_by_role("row", name="row … is bad").get_by_role("button", name="Try again").click()
    page.get_by_role("dialog").get_by_role("button", name="Try 2 again").click()
    expect(page.locator(".toast")).to_contain_text("2 items of the queue orders will be tried again.")
    assert states(site, queue) == {"O-0": "new", "O-1": "new", "O-2": "failed"}

    page.goto(f"/ui/queue-items/?queue_id={queue}")
    page.get_by_role("checkbox", name="Select O-0").check()
    page.get_by_role("checkbox", name="Select O-2").check()
    page.locator("#bulk").get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Try again: 1 of 2 chosen")
    page.get_by_role("button", name="Try again 1").click()
    expect(page.get_by_role("status")).to_contain_text("“Try again” is done with 1 queue item: O-2.")
    page.get_by_role("status").get_by_role("link", name="O-2").click()
    expect(page.locator("#head .badge")).to_have_text("New")
    assert set(states(site, queue).values()) == {"new"}


def states(site: Server, queue: int) -> dict[str, str]:
    items = site.call("GET", f"/api/queue-items?queue_id={queue}")
    return {item["reference"]: item["status"] for item in items}


def test_a_tool_is_let_in_on_its_confirmation_page_and_acts_for_the_user(chromium: Browser, site: Server) -> None:
    begun = requests.post(f"{site.url}/api/sdk/auth/start", json={"machine_name": "DEV-HOST-01"}, timeout=30).json()
    window = chromium.new_context(base_url=site.url)
    page = window.new_page()
    page.goto(begun["verification_url"])
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("admin123")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("DEV-HOST-01")).to_be_visible()
    expect(page.get_by_text(begun["user_code"])).to_be_visible()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Confirmed")).to_be_visible()
    window.close()
    asked = {"session_id": begun["session_id"]}
    answer = requests.post(f"{site.url}/api/sdk/auth/status", json=asked, timeout=30).json()
    assert (answer["status"], answer["user"]["username"]) == ("confirmed", "admin")
    tool = {"Authorization": f"Bearer {answer['access_token']}"}
    assert requests.get(f"{site.url}/api/queues", headers=tool, timeout=30).ok
