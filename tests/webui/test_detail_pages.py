"""The pages of processes, packages, robots, machines, queues and their items, users and audit events."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bvo_jobs import utilisation
from bvo_queues import failures
from support.api import Api
from support.browser import Browser
from support.work import Work, claim


def panel(browser: Browser, page: str, name: str) -> str:
    """The panel's text, with the space between words as one sees it; empty where it is not shown."""
    found = re.search(rf'<section [^>]*id="panel-{name}"[^>]*>(.*?)</section>', browser.get(page).text, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[1])) if found else ""


def run(admin: Api, robot: Api, process: dict[str, Any], **outcome: Any) -> int:
    """A job of the process that the robot has run to this end."""
    admin.a_job(process)
    job = claim(robot)
    lease = {"X-Lease-Token": job["lease_token"]}
    robot.ok(robot.post(f"/api/runner/jobs/{job['id']}/update", outcome, headers=lease))
    return int(job["id"])


# --- processes


def test_a_process_shows_how_its_jobs_went(admin: Api, signed_in: Browser) -> None:
    process = admin.a_process()
    _, robot = admin.a_robot()
    page = f"/ui/processes/{process['id']}"
    assert "It has not run yet" in panel(signed_in, page, "runs")
    for _ in range(3):
        run(admin, robot, process, status="completed")
    failed = run(admin, robot, process, status="failed", error_message="x")
    runs = panel(signed_in, page, "runs")
    assert "75 %" in runs
    assert "The last 4 jobs" in runs
    assert f"Job #{failed}: failed" in runs
    assert re.search(
        r'<svg class="bars"[^>]* role="img" aria-label="Durations of the last 4 jobs', signed_in.get(page).text
    )


def test_a_process_runs_at_the_press_of_a_button(
    admin: Api, user_with: Callable[..., Api], signed_in: Browser, app: Any
) -> None:
    process = admin.a_process()
    page = f"/ui/processes/{process['id']}"
    job = signed_in.submit(page, f"{page}/run").location
    assert f'Job Demo #1 was queued. <a href="{job}">Show</a>' in signed_in.get(job).text
    user_with("processes:view", "jobs:view")
    other = Browser(app.test_client())
    other.log_in("user-1", "correct horse")
    assert f"{page}/run" not in other.get(page).text
    assert "Runs" in other.get(page).text


def test_what_one_may_not_see_of_other_domains_is_on_no_page(
    admin: Api, user_with: Callable[..., Api], visitor: Browser
) -> None:
    job = admin.a_job()
    user_with("processes:view")
    visitor.log_in("user-1", "correct horse")
    page = visitor.get(f"/ui/processes/{job['process_id']}").text
    assert 'id="panel-runs"' not in page
    assert "/ui/packages/" not in page
    assert "/ui/jobs/" not in page


def test_versions_are_compared_and_had_again(admin: Api, signed_in: Browser) -> None:
    process = admin.a_process("P", **{"main.py": "print('<old>')\n", "gone.py": ""})
    newer = admin.a_package("p", "2.0.0", **{"main.py": "print('new')\n", "more.py": ""})
    admin.ok(admin.put(f"/api/processes/{process['id']}", {"package_id": newer["id"]}))
    page = f"/ui/processes/{process['id']}"
    assert "1.0.0 2.0.0" in panel(signed_in, page, "process_versions")
    compared = signed_in.get(f"{page}/versions/2").text
    assert '<div class="removed">-print(&#39;&lt;old&gt;&#39;)</div>' in compared
    assert '<div class="added">+print(&#39;new&#39;)</div>' in compared
    assert re.search(r'<li class="removed">.*?gone\.py', compared)
    assert re.search(r'<li class="added">.*?more\.py', compared)
    first = f"{page}/versions/1"
    assert signed_in.submit(first, f"{first}/roll-back").location == page
    assert "runs what version 1 ran, as version 3" in signed_in.get(page).text
    signed_in.get(f"{page}/versions/9", 404)


# --- packages


def test_a_package_shows_its_readme_its_versions_and_who_uses_it(admin: Api, signed_in: Browser) -> None:
    package = admin.a_package("demo", "1.0.0", **{"main.py": "", "README.md": "# Reads <invoices>"})
    admin.a_package("demo", "2.0.0")
    admin.ok(admin.post("/api/processes", {"name": "P", "package_id": package["id"], "script_path": "main.py"}))
    page = f"/ui/packages/{package['id']}"
    assert "# Reads &lt;invoices&gt;" in panel(signed_in, page, "content")
    assert "2.0.0" in panel(signed_in, page, "package_versions")
    assert "P" in panel(signed_in, page, "used_by")
    assert "No process runs" in panel(signed_in, f"/ui/packages/{package['id'] + 1}", "used_by")
    signed_in.submit(page, f"{page}/deactivate")
    assert "nothing new starts with it" in panel(signed_in, page, "content")


# --- robots and machines


def test_a_robot_shows_what_it_runs_its_day_and_its_jobs(admin: Api, signed_in: Browser) -> None:
    process = admin.a_process()
    robot, api = admin.a_robot()
    done = run(admin, api, process, status="completed")
    admin.a_job(process)
    held = claim(api)
    page = f"/ui/robots/{robot['id']}"
    work = panel(signed_in, page, "work")
    assert f"It runs Demo #{held['id']}" in work
    assert f"Demo #{done} Completed" in work
    day = r'<svg class="day"[^>]* aria-label="Of the last 24 hours .* with 2 jobs"'
    assert re.search(day, signed_in.get(page).text)


def test_a_day_is_drawn_from_the_part_of_each_job_that_lies_in_it() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def job(start: float, end: float | None) -> Any:
        hours = [now - timedelta(hours=hour) if hour is not None else None for hour in (start, end)]
        return SimpleNamespace(id=1, status="completed", started_at=hours[0], finished_at=hours[1])

    pieces, busy = utilisation.bar([job(6, None), job(30, 18), job(40, 30)], now)
    assert [(piece.x, piece.width) for piece in pieces] == [(1080, 360), (0, 360)]
    assert busy == 0.5


def test_a_robot_says_when_it_came_and_went(admin: Api, signed_in: Browser) -> None:
    robot, _ = admin.a_robot()
    admin.ok(admin.post(f"/api/robots/{robot['id']}/heartbeat"))
    admin.ok(admin.post(f"/api/robots/{robot['id']}/drain"))
    page = f"/ui/robots/{robot['id']}"
    connections = panel(signed_in, page, "connections")
    assert connections.index("Came online by admin") < connections.index("Created by admin")
    assert "No: it drains" in panel(signed_in, page, "state")


def test_a_machine_shows_its_robots(admin: Api, signed_in: Browser) -> None:
    machine = admin.ok(admin.post("/api/machines", {"name": "HOST-1"}))
    page = f"/ui/machines/{machine['id']}"
    assert "No robot runs here yet" in panel(signed_in, page, "robots")
    admin.ok(admin.post("/api/robots", {"name": "robot-7", "machine_id": machine["id"]}))
    assert "robot-7 Offline" in panel(signed_in, page, "robots")


# --- queues and their items


@pytest.fixture
def failed(admin: Api) -> dict[str, Any]:
    """A queue with items that failed for two reasons, one that was completed, and one that waits."""
    work = Work(admin)

    def send(path: str, body: dict[str, Any]) -> Any:
        return work.api.ok(work.api.post(f"/api/runner/{path}", body, headers={"X-Lease-Token": work.lease}))

    queue: dict[str, Any] = admin.ok(admin.post("/api/queues", {"name": "orders", "max_retries": 0}))
    for number in range(5):
        admin.ok(admin.post("/api/queue-items", {"queue_id": queue["id"], "reference": f"O-{number}", "payload": {}}))
    for number in range(4):
        item = send("queues/orders/next", {})["item"]
        lease = {"item_lease": item["item_lease"]}
        path = f"queue-items/{item['id']}"
        if number == 3:
            send(f"{path}/complete", {**lease, "result": {"ok": True}})
            continue
        words = "no address" if number == 2 else f"timeout after {number} s at 'host-{number}'"
        send(f"{path}/fail", {**lease, "kind": "application", "error_message": words})
    return {**queue, "page": f"/ui/queues/{queue['id']}", "job": work.job["id"]}


def test_a_queue_shows_its_items_by_state_and_what_went_wrong(failed: dict[str, Any], signed_in: Browser) -> None:
    board = panel(signed_in, failed["page"], "board")
    for count, state in ((1, "New"), (0, "In progress"), (1, "Completed"), (3, "Failed")):
        assert f"{count} {state}" in board
    assert "1 completed , 3 failed" in panel(signed_in, failed["page"], "throughput")
    wrong = panel(signed_in, failed["page"], "failures")
    assert re.search("timeout after … s at “…” Application 2", wrong)
    assert re.search("no address Application 1", wrong)


def test_items_that_failed_for_one_reason_are_tried_again_at_once(
    admin: Api, failed: dict[str, Any], signed_in: Browser
) -> None:
    forms = re.findall(
        r'name="csrf_token" value="([^"]+)"><input type="hidden" name="fingerprint" value="(\w+)">',
        signed_in.get(failed["page"]).text,
    )
    token, fingerprint = forms[0]
    signed_in.post(f"{failed['page']}/retry-failed", 403, fingerprint=fingerprint)
    signed_in.post(f"{failed['page']}/retry-failed", csrf_token=token, fingerprint=fingerprint)
    assert "2 items of the queue" in signed_in.get(failed["page"]).text
    items = admin.ok(admin.get(f"/api/queue-items?queue_id={failed['id']}"))
    assert sorted((item["reference"], item["status"]) for item in items) == [
        ("O-0", "new"),
        ("O-1", "new"),
        ("O-2", "failed"),
        ("O-3", "completed"),
        ("O-4", "new"),
    ]
    signed_in.post(f"{failed['page']}/retry-failed", 404, csrf_token=token, fingerprint=fingerprint)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("row 7 of 12.5 is bad", "row 8 of 1 is bad", True),
        ("no user 'ada'", 'no user "bob the 2nd"', True),
        ("id 0f8fad5b-d9cb-469f-a165-70867728950e\nTraceback", "id 7c9e6679-7425-40de-944b-e07fc1f90ae7", True),
        ("no address", "no date", False),
        ("", "no date", False),
    ],
)
def test_messages_that_differ_in_what_varies_only_are_one_failure(one: str, other: str, same: bool) -> None:
    assert (failures.words_of(one) == failures.words_of(other)) is same


def test_an_item_shows_its_history_and_the_job_that_held_it(
    admin: Api, failed: dict[str, Any], signed_in: Browser
) -> None:
    item = next(
        item
        for item in admin.ok(admin.get(f"/api/queue-items?queue_id={failed['id']}"))
        if item["status"] == "completed"
    )
    page = f"/ui/queue-items/{item['id']}"
    history = panel(signed_in, page, "history")
    assert "Added by admin" in history
    assert f"Taken by robot-1, job #{failed['job']}" in history
    assert "Completed by robot-1" in history
    assert f"Last held by Demo #{failed['job']}" in panel(signed_in, page, "item")
    assert "ok true" in panel(signed_in, page, "payload")
    assert "O-3 Completed" in panel(signed_in, f"/ui/jobs/{failed['job']}", "job_items")


# --- users, roles and the audit log


def test_a_user_shows_roles_sessions_and_tokens(
    admin: Api, user_with: Callable[..., Api], signed_in: Browser, app: Any
) -> None:
    admin.ok(admin.post("/api/api-tokens", {"name": "ci", "scopes": ["jobs:view"]}))
    page = "/ui/users/1"
    assert "Administrator may do everything" in panel(signed_in, page, "user_roles")
    assert "Browser 127.0.0.1" in panel(signed_in, page, "user_sessions")
    assert "jobs:view" in panel(signed_in, page, "user_tokens")
    assert "admin" in panel(signed_in, "/ui/roles/1", "members")
    user_with("users:view")
    other = Browser(app.test_client())
    other.log_in("user-1", "correct horse")
    for name in ("user_roles", "user_sessions", "user_tokens"):
        assert panel(other, page, name) == ""


def test_an_event_shows_what_changed_and_the_rest_on_demand(admin: Api, signed_in: Browser) -> None:
    process = admin.a_process()
    admin.ok(admin.put(f"/api/processes/{process['id']}", {"description": "<b>new</b>"}))
    event = admin.ok(admin.get("/api/audit?entity_type=process&action=process.update"))["items"][0]
    page = f"/ui/audit/{event['id']}"
    changes = signed_in.get(page).text.partition('id="panel-changes"')[2]
    changed, _, others = changes.partition('<details class="branch others"')
    assert re.findall(r'<th scope="row">([^<]+)</th>', changed) == ["Description"]
    assert '<td data-label="After" class="new"><span class="string">&lt;b&gt;new&lt;/b&gt;</span></td>' in changed
    assert '<th scope="row">Name</th>' in others
    assert f'<a href="/ui/processes/{process["id"]}">Demo</a>' in panel_html(signed_in, page, "event")
    assert '<a href="/ui/users/1">admin</a>' in panel_html(signed_in, page, "event")


def panel_html(browser: Browser, page: str, name: str) -> str:
    found = re.search(rf'<section [^>]*id="panel-{name}"[^>]*>(.*?)</section>', browser.get(page).text, re.DOTALL)
    return found[1] if found else ""
