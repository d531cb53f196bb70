"""A real server with plugins that fail in every way they can: no request fails, and no event is lost."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from support import hostile
from support.databases import Databases
from support.plugins import Site
from support.servers import Server, bvo

UNLOADABLE = {
    "gives_nonsense",
    "gives_nothing",
    "exits_at_a_hook",
    "can_not_be_imported",
    "exits_when_imported",
    "is_no_python",
}
SECONDS = 15
CLIENTS = 2


def site(folder: Path) -> Iterable[Path]:
    return (folder / "site").glob("hostile_*")


def installed(folder: Path, plugins: Mapping[str, str]) -> str:
    """The PYTHONPATH with which these plugins are there."""
    packages = Site(folder / "site")
    for name, source in plugins.items():
        packages.install(hostile.HEADER + source, f"hostile_{name}", header=False)
    packages.close()
    return os.pathsep.join((str(packages.folder), os.environ.get("PYTHONPATH", "")))


@pytest.fixture(params=[0, 1], ids=["half", "rest"])
def server(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Server:
    """One with half of them, a plugin that does no harm, and a file that every event goes to."""
    half = list(hostile.PLUGINS)[request.param :: 2]
    others = {"witness": hostile.WITNESS, "victim": hostile.VICTIM, "hurry": hostile.HURRY}
    plugins = {name: hostile.PLUGINS[name] for name in half} | others
    return Server(
        tmp_path,
        BVO_DATABASE_URL=databases.fresh(),
        BVO_AUDIT_FILE=tmp_path / "audit.jsonl",
        WITNESS=tmp_path / "witness",
        VICTIM=tmp_path / "victim",
        PYTHONPATH=installed(tmp_path, plugins),
    )


def test_hostile_plugins_fail_no_request_and_lose_no_event(server: Server, tmp_path: Path) -> None:
    with server:
        server.log_in()
        server.call("POST", "/api/machines", json={"name": hostile.POISON, "mode": "agent"})
        browser = signed_in(server)
        made: list[str] = []
        failed: list[str] = []
        until = time.monotonic() + SECONDS
        clients = [
            threading.Thread(target=use, args=(server, browser, number, until, made, failed))
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert failed == []
        assert len(made) > 5, "each waits for seconds behind plugins that lock the database"
        logged = wait_for_all(server, len(made) + 1)
        events = {event["id"] for event in logged}
        poison = {event["id"] for event in logged if event["data"]["entity"].get("name") == hostile.POISON}
        wait_for(events, lambda: written(tmp_path / "audit.jsonl"))
        wait_for(events, lambda: words(tmp_path / "witness"))
        wait_for(events - poison, lambda: words(tmp_path / "victim"))
        assert server.healthy()
    hanging = {"hangs", "does_not_answer", "locks", "locks_by_itself"} & {
        path.name.removeprefix("hostile_") for path in site(tmp_path)
    }
    for name in hanging:
        assert f"The worker process of the plugin {name!r} ends, and begins anew" in server.log()


def signed_in(server: Server) -> requests.Session:
    browser = requests.Session()
    page = browser.post(
        f"{server.url}/ui/login", data={"username": "admin", "password": "admin123"}, headers={"Origin": server.url}
    )
    assert page.ok, page.text
    return browser


def use(
    server: Server, browser: requests.Session, client: int, until: float, made: list[str], failed: list[str]
) -> None:
    """Make machines, and look at the dashboard, with its cards."""
    session = requests.Session()
    session.headers.update(server.session.headers)
    number = 0
    while time.monotonic() < until:
        number += 1
        body = {"name": f"machine {client} {number}", "mode": "agent"}
        answers = (
            session.post(f"{server.url}/api/machines", json=body, timeout=60),
            browser.get(f"{server.url}/ui/", timeout=60),
        )
        failed += [f"{answer.request.method} {answer.url}: {answer.text[:300]}" for answer in answers if not answer.ok]
        made.append(body["name"])
        time.sleep(0.1)


def wait_for_all(server: Server, machines: int) -> list[dict[str, Any]]:
    """All events, once one tells of each machine: they are shown when the transactions have ended that began before."""
    deadline = time.monotonic() + 60
    while True:
        logged = every_event(server)
        if sum(event["type"] == "machine.created" for event in logged) == machines:
            return logged
        assert time.monotonic() < deadline, f"{machines} machines were made, and not all are in the log"
        time.sleep(0.2)


def every_event(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after, more = "0", True
    while more:
        answer = server.call("GET", f"/api/events?after={after}&page_size=200")
        found, after, more = found + answer["events"], answer["next"], answer["more"]
    return found


def words(path: Path) -> set[str]:
    return set(path.read_text("utf-8").split()) if path.exists() else set()


def written(path: Path) -> set[str]:
    return {json.loads(line)["id"] for line in path.read_text("utf-8").splitlines()}


def wait_for(events: set[str], found: Callable[[], set[str]]) -> None:
    deadline = time.monotonic() + 60
    while missing := events - found():
        assert time.monotonic() < deadline, f"{len(missing)} of {len(events)} events are missing"
        time.sleep(0.2)


def test_there_are_thirty_of_them_and_those_that_can_not_be_loaded_are_named(tmp_path: Path) -> None:
    assert len(hostile.PLUGINS) >= 30
    plugins = {name: hostile.PLUGINS[name] for name in UNLOADABLE}
    answer = bvo("plugins", "list", "--json", BVO_DATA_DIR=tmp_path, PYTHONPATH=installed(tmp_path, plugins))
    failed = {plugin["name"]: plugin["reason"] for plugin in json.loads(answer.stdout) if plugin["state"] == "failed"}
    assert {name.removeprefix("hostile_") for name in failed} == UNLOADABLE
    assert all(failed.values())
