"""Every page of the web UI, with a database in which each of them shows something."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flask import Flask

from bvo import create_app
from bvo_hookspecs import EntityType, SettingsGroup
from support.api import zipped
from support.servers import Server
from support.watch import wait_until

PARTS = re.compile(
    r"/ui/(static/|cards|palette|<entity>/(rows|suggestions|export\.csv|<int:row_id>/(head|live|panels)))"
)
"""What pages ask for by themselves, and files."""
SHOWN = {
    "/ui/<entity>/bulk": ["/ui/jobs/bulk?action=cancel&all=true&status=pending"],
    "/ui/reset": [],  # its link comes by mail
    "/ui/settings": [],  # leads to the first group
    "/ui/login": [],  # whoever is signed in is led on
    "/ui/logged-out": [],
    "/ui/forgot": ["/ui/forgot"],
    "/ui/jobs/<int:row_id>/log": ["/ui/jobs/1/log"],
    "/ui/jobs/<int:row_id>/log.txt": [],  # a file
    "/ui/event-types/<name>": ["/ui/event-types/job.completed"],
    "/ui/processes/<int:row_id>/versions/<int:version>": ["/ui/processes/1/versions/1"],
}
"""What stands for a rule that has no page of its own under its address."""
VARIANTS = ["/ui/jobs/new?process_id=1", "/ui/assets/new?type=credential"]
"""Forms that ask for something else, by what was chosen before."""
OF_ROWS = re.compile(r"/ui/<entity>/")


def an_app() -> Flask:
    """An app that is asked only for what is registered."""
    folder = Path(tempfile.mkdtemp())
    return create_app({"BVO_DATABASE_URL": f"sqlite:///{folder / 'none.db'}", "BVO_DATA_DIR": folder})


def fill(server: Server) -> None:
    """Some of everything: packages, processes, robots, jobs of each end, queues with items, assets, users, tokens."""
    call = server.call
    call("POST", "/api/packages/upload", files={"file": ("demo_1.0.0.zip", zipped({"main.py": "print('hi')"}))})
    for name in ("Daily report", "Invoice import", "Nightly cleanup"):
        call("POST", "/api/processes", json={"name": name, "package_id": 1, "script_path": "main.py"})
    wanted = {"properties": {"day": {"type": "integer", "default": 1}, "until": {"type": "string", "format": "date"}}}
    call("PUT", "/api/processes/1", json={"parameters_schema": wanted})
    call("POST", "/api/machines", json={"name": "host-01", "mode": "runner"})
    robot = call("POST", "/api/robots", json={"name": "robot-01"})
    call("POST", "/api/robots", json={"name": "robot-02"})
    for number in range(30):
        call(
            "POST", "/api/jobs", json={"process_id": 1 + number % 3, "parameters": {"day": number, "deep": {"x": [1]}}}
        )
    _work(server, {"X-Robot-Token": robot["api_token"], "Authorization": ""})
    hook = {"name": "Tickets", "url": "http://127.0.0.1:9/bvo", "event_types": ["queue.*"]}
    call("POST", "/api/webhooks", json=hook)
    rule = {"name": "Failing jobs", "condition": "jobs_failed_in_a_row", "parameters": {"failures": 1}}
    call("POST", "/api/alert-rules", json=rule)
    told = {"name": "Failed jobs", "recipients": ["ops@example.com"], "event_types": ["job.failed", "robot.offline"]}
    call("POST", "/api/mail-notifications", json=told)
    call("POST", "/api/queues", json={"name": "orders"})
    for number in range(8):
        item = {"queue_name": "orders", "payload": {"order": number}, "reference": f"ORD-{number:04}"}
        call("POST", "/api/queue-items", json=item)
    call("POST", "/api/assets", json={"name": "limit", "type": "int", "value": 42})
    call("POST", "/api/assets", json={"name": "password", "type": "secret", "value": "opensesame"})
    call("POST", "/api/access/users", json={"username": "dana", "password": "correct horse"})
    call("POST", "/api/api-tokens", json={"name": "ci", "scopes": ["jobs:view"]})
    wait_until(lambda: bool(call("GET", "/api/alerts")))  # the worker judges the rule


def _work(server: Server, robot: dict[str, str]) -> None:
    """Jobs that ended well and not, and one that runs."""
    server.call("POST", "/api/runner/heartbeat", json={}, headers=robot)
    for number in range(10):
        job = server.call("POST", "/api/runner/next-job", json={}, headers=robot)["job"]
        holder = {**robot, "X-Lease-Token": job["lease_token"]}
        lines = {"sequence": 1, "text": "reading\nERROR no date\n"}
        server.call("POST", f"/api/runner/jobs/{job['id']}/log", json=lines, headers=holder)
        failed = {"status": "failed", "error_message": "ValueError: invoice 4711 has no date"}
        ended = failed if number % 3 == 0 else {"status": "completed", "result": {"booked": number}}
        if number < 9:
            server.call("POST", f"/api/runner/jobs/{job['id']}/update", json=ended, headers=holder)


def pages(app: Flask, server: Server) -> list[str]:
    """An address for every page of those who are signed in. Raises LookupError for one that nobody thought of."""
    rules = {
        re.sub(r"\(.*?\)", "", rule.rule)
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.rule.startswith("/ui/") and not PARTS.match(rule.rule)
    }
    found: list[str] = []
    for rule in sorted(rules):
        if rule in SHOWN:
            found += SHOWN[rule]
        elif rule == "/ui/settings/<group>":
            found += [f"/ui/settings/{name}" for name in app.extensions["bvo"].of(SettingsGroup)]
        elif "<" not in rule:
            found.append(rule)
        elif not OF_ROWS.match(rule):
            raise LookupError(f"{rule} is a page that is not walked: say in tests/support/walk.py what stands for it")
    return [*found, *VARIANTS, *_of_types(app, server)]


def _of_types(app: Flask, server: Server) -> Iterator[str]:
    for entity in app.extensions["bvo"].of(EntityType).values():
        path = f"/ui/{entity.plural.replace('_', '-')}/"
        yield path
        text = _opened(server, path)
        rows = re.findall(rf'class="leading" href="({path}\d+)"', text)
        for each in (rows[0], f"{rows[0]}/edit", f"{path}new"):
            if each == rows[0] or f'href="{each}"' in text or f'href="{each}"' in _opened(server, rows[0]):
                yield each


def _opened(server: Server, path: str) -> str:
    """A page, in the browser session of the one who is signed in."""
    answer = server.session.get(server.url + path, headers={"Accept": "text/html", "Authorization": None})  # type: ignore[dict-item]
    assert answer.ok, f"{path}: {answer.status_code}"
    return answer.text


def sign_in(server: Server) -> None:
    """Keep the cookies of a browser beside the token of the API."""
    server.session.post(f"{server.url}/ui/login", data={"username": "admin", "password": "admin123"})
