"""Makes the pictures of the documentation: a real server and runner do some work, a real browser looks at it.

python tests/screenshots.py docs/images
python tests/screenshots.py some/folder --all    # every page, light and dark, wide and narrow, to look at
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from support import walk
from support.runners import Runner, wait_for_job
from support.servers import Server, queue_job

EXAMPLE = Path(__file__).parents[1] / "examples" / "packages" / "sales_report"
PICTURES = {"dashboard": "/ui/", "job": "/ui/jobs/1"}
SIZE = {"width": 1280, "height": 800}
SCHEMES, WIDTHS = ("light", "dark"), (1280, 360)


def work(server: Server) -> None:
    """Some jobs with different ends."""
    files = {path.name: path.read_bytes() for path in EXAMPLE.iterdir() if path.is_file()}
    first = queue_job(server, "Sales report", files)
    wait_for_job(server, first)
    process = server.call("GET", f"/api/jobs/{first}")["process_id"]
    for _ in range(4):
        wait_for_job(server, server.call("POST", "/api/jobs", json={"process_id": process})["id"])
    broken = {"main.py": "raise ValueError('invoice 4711 has no date')"}
    wait_for_job(server, queue_job(server, "Invoice import", broken))
    wait_for_job(server, queue_job(server, "Nightly cleanup", {"main.py": "import time; time.sleep(60)"}), "running")
    server.call("POST", "/api/jobs", json={"process_id": process})


def take(browser: Browser, url: str, folder: Path) -> None:
    page = browser.new_page(viewport=SIZE, device_scale_factor=1.5, color_scheme="light")
    sign_in(page, url)
    for name, path in PICTURES.items():
        page.goto(url + path)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=folder / f"{name}.png")


def take_all(browser: Browser, server: Server, paths: list[str], folder: Path) -> None:
    """Every page, light and dark, wide and narrow."""
    for scheme, width in ((scheme, width) for scheme in SCHEMES for width in WIDTHS):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        for path in paths:
            page.goto(server.url + path, wait_until="networkidle")
            name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")
            page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True)
            if path == paths[0]:
                sign_in(page, server.url)
        page.goto(f"{server.url}/ui/machines/new")  # the page after it has no address
        page.fill("input[name=name]", f"HOST-{scheme}-{width}")
        page.click("form.form .primary")
        page.screenshot(path=folder / f"ui-machines-created-{scheme}-{width}.png", full_page=True)
        page.close()


def sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}/ui/login")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", "admin123")
    page.click("main button")


def every_page(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, Server(Path(scratch)) as server:
        server.log_in()
        walk.fill(server)
        walk.sign_in(server)
        paths = ["/ui/login", *walk.pages(walk.an_app(), server), "/ui/nothing", "/ui/jobs/?status=canceled&robot_id=2"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            take_all(browser, server, paths, folder)
            browser.close()


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, Server(Path(scratch)) as server:
        server.log_in()
        with Runner(server, Path(scratch) / "home", name="robot-01"), sync_playwright() as playwright:
            work(server)
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            take(browser, server.url, folder)
            browser.close()


if __name__ == "__main__":
    if "--help" in sys.argv or len(sys.argv) < 2:
        sys.exit(__doc__)
    (every_page if "--all" in sys.argv else main)(Path(sys.argv[1]))
