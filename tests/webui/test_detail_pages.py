"""The pages of processes, packages, robots, machines, queues and their items, users and audit events."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from support.api import Api
from support.browser import Browser
from support.work import claim


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
    assert "Job #" in signed_in.get(job).text
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
