"""Forms in a real browser, against a real server: the keyboard, what scripts add, and accessibility."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.accessibility import assert_accessible
from support.api import zipped
from support.servers import Server

SCHEMA = {
    "type": "object",
    "required": ["day"],
    "properties": {"day": {"type": "string", "format": "date"}, "limit": {"type": "integer", "default": 10}},
}


@pytest.fixture
def described(site: Server) -> Iterator[None]:
    """The process says what its jobs need."""
    site.call("PUT", "/api/processes/1", json={"parameters_schema": SCHEMA})
    yield
    site.call("PUT", "/api/processes/1", json={"parameters_schema": None})


def submit(page: Page, name: str = "Create") -> None:
    button = page.locator("form.form .primary")
    expect(button).to_have_text(name)
    button.click()


def test_from_an_upload_to_a_job(visit: Callable[..., Page], site: Server, tmp_path: Path) -> None:
    archive = tmp_path / "report_2.0.0.zip"
    archive.write_bytes(zipped({"main.py": "print(1)"}))
    page = visit("/ui/packages/")
    page.get_by_role("link", name="New package").click()
    page.get_by_label("File").set_input_files(archive)
    submit(page, "Upload")
    expect(page.get_by_role("status")).to_contain_text("Package report was created.")
    page.goto("/ui/processes/new")
    page.get_by_role("link", name="report 2.0.0").click()
    page.get_by_label("Name").fill("Report")
    expect(page.get_by_label("Script path")).to_have_value("main.py")
    submit(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Report")
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Parameters schema").fill('{"properties": {"day": {"type": "string", "format": "date"}}}')
    submit(page, "Save")
    expect(page.get_by_role("status")).to_contain_text("Process Report was saved.")
    page.goto("/ui/jobs/new")
    page.get_by_role("link", name="Report", exact=True).click()
    page.get_by_label("Day").fill("2026-11-01")
    submit(page)
    expect(page.locator("#head .badge")).to_have_text("Pending")
    number = int(page.url.rpartition("/")[2])
    assert site.call("GET", f"/api/jobs/{number}")["parameters"] == {"day": "2026-11-01"}


def test_a_file_that_is_no_package_is_refused_where_it_was_chosen(visit: Callable[..., Page], tmp_path: Path) -> None:
    wrong = tmp_path / "report_9.0.0.zip"
    wrong.write_bytes(b"no zip")
    page = visit("/ui/packages/new")
    page.get_by_label("Name").fill("kept")
    page.get_by_label("File").set_input_files(wrong)
    submit(page, "Upload")
    expect(page.get_by_role("alert")).to_contain_text("The package was refused")
    expect(page.get_by_label("Name")).to_have_value("kept")
    right = tmp_path / "right" / "report_9.0.0.zip"
    right.parent.mkdir()
    right.write_bytes(zipped({"main.py": ""}))
    page.get_by_label("File").set_input_files(right)
    submit(page, "Upload")
    expect(page.get_by_role("heading", level=1)).to_have_text("kept")


def test_the_first_field_that_is_wrong_has_the_focus(visit: Callable[..., Page]) -> None:
    page = visit("/ui/users/new")
    page.get_by_label("User name").fill("not a name")
    page.get_by_label("E-mail").fill("x@example.com")
    page.get_by_label("Password").fill("short")
    submit(page)
    expect(page.get_by_label("User name")).to_be_focused()
    expect(page.get_by_label("E-mail")).to_have_value("x@example.com")
    expect(page.get_by_label("Password")).to_have_value("")
    page.get_by_role("alert").get_by_role("link", name="Password").click()
    assert page.evaluate("location.hash") == "#field-password"
    assert_accessible(page)


def test_a_double_click_creates_once(visit: Callable[..., Page], site: Server) -> None:
    page = visit("/ui/queues/new")
    page.get_by_label("Name").fill("clicked twice")
    page.get_by_role("button", name="Create", exact=True).dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("clicked twice")
    assert len(site.call("GET", "/api/queues?search=twice")) == 1


def test_the_headings_of_the_table_check_a_row_or_a_column(visit: Callable[..., Page], site: Server) -> None:
    page = visit("/ui/roles/new")
    page.get_by_label("Name").fill("Looker")
    column = page.get_by_role("columnheader", name="View").get_by_role("button")
    column.focus()
    page.keyboard.press("Enter")
    page.get_by_role("rowheader", name="Jobs", exact=True).get_by_role("button").click()
    submit(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Looker")
    (role,) = site.call("GET", "/api/access/roles?search=Looker")
    jobs = next(row for row in role["permissions"] if row["artifact"] == "jobs")
    assert jobs["can_delete"]
    assert all(row["can_view"] for row in role["permissions"])
    assert not any(row["can_delete"] for row in role["permissions"] if row is not jobs)


def test_a_key_and_the_command_that_uses_it_are_copied(visit: Callable[..., Page], site: Server) -> None:
    page = visit("/ui/machines/new", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Name").fill("HOST-77")
    submit(page)
    shown = page.locator(".copy code").text_content() or ""
    assert re.fullmatch(r"bvom_\S+", shown)
    command = page.get_by_role("region", name="Command: runner").text_content() or ""
    assert command.startswith(f"(umask 077\n echo {shown} > machine.key)\nbvo runner ")
    assert f" --url {site.url} " in command
    buttons = page.locator("main button[data-copy]")
    for button, text in zip(buttons.all(), (shown, command), strict=True):
        button.click()
        expect(button).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == text
    assert shown not in page.url
    assert_accessible(page)
    page.get_by_role("link", name="I have kept it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("HOST-77")


def test_of_many_rows_suggestions_come_as_one_types(visit: Callable[..., Page], site: Server) -> None:
    for number in range(201):
        site.call("POST", "/api/machines", json={"name": f"crowd-{number:03}", "mode": "agent"})
    page = visit("/ui/robots/new")
    machine = page.get_by_label("Machine", exact=True)
    machine.press_sequentially("crowd-17")
    expect(page.locator("datalist option[value^='crowd-170']")).to_have_count(1)
    machine.fill("crowd-170")
    page.get_by_role("textbox", name="Name *").fill("robot-of-the-crowd")
    submit(page)
    expect(page.locator(".copy code")).to_have_text(re.compile("bvor_"))
    (robot,) = site.call("GET", "/api/robots?search=of-the-crowd")
    assert site.call("GET", f"/api/machines/{robot['machine_id']}")["name"] == "crowd-170"


def test_without_scripts_forms_work_the_same(visit: Callable[..., Page], described: None) -> None:
    page = visit("/ui/queues/new", java_script_enabled=False)
    page.get_by_label("Name").fill("no scripts")
    submit(page)
    expect(page.get_by_role("status")).to_have_text("Queue no scripts was created.")
    page.goto("/ui/jobs/new?process_id=1")
    page.get_by_label("Day").fill("2026-11-01")
    submit(page)
    expect(page.locator("#head .badge")).to_have_text("Pending")
    page.goto("/ui/machines/new")
    page.get_by_label("Name").fill("no scripts")
    submit(page)
    expect(page.locator(".copy code")).to_have_text(re.compile("bvom_"))
    expect(page.locator("main button[data-copy]").first).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_two_versions_side_by_side_are_accessible(visit: Callable[..., Page], site: Server, scheme: str) -> None:
    queue = site.call("POST", "/api/queues", json={"name": f"of two {scheme}"})["id"]
    page = visit(f"/ui/queues/{queue}/edit", color_scheme=scheme)
    page.get_by_label("Description").fill("mine")
    site.call("PUT", f"/api/queues/{queue}", json={"description": "theirs"})
    submit(page, "Save")
    expect(page.get_by_text("Saved by somebody else meanwhile:")).to_be_visible()
    expect(page.get_by_label("Description")).to_have_value("mine")
    assert_accessible(page)
