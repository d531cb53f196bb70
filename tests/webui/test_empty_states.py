"""What stands where nothing is: the next step, as a button or as a command that does it as it stands."""

from __future__ import annotations

import html
import json
import re
import shlex
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import Schema, fields, validate

from bvo_agent.cli import runner
from bvo_hookspecs import EntityType
from bvo_webui import beginnings
from support.api import Api, zipped
from support.browser import Browser
from support.plugins import Site
from support.state import State
from support.things import THING, ThingService, make_tables

HERE = "http://localhost"


@pytest.fixture
def signed_in(client: FlaskClient) -> Browser:
    browser = Browser(client)
    browser.log_in()
    return browser


def commands(page: str) -> dict[str, str]:
    found = re.findall(r'<pre id="command-([\w-]+)"[^>]*>(.*?)</pre>', page, re.DOTALL)
    return {name: html.unescape(text) for name, text in found}


def words(command: str) -> list[str]:
    return shlex.split(command.replace("\\\n", ""))


def call(admin: Api, command: str, file: tuple[bytes, str] | None = None) -> Any:
    """Do what the curl does."""
    first, *arguments, url = words(command)
    assert (first, arguments[:2]) == ("curl", ["-H", "Authorization: Bearer $TOKEN"])
    assert url.startswith(f"{HERE}/api/")
    if file:
        assert arguments[2:] == ["-F", f"file=@{file[1]}"]
        return admin.ok(admin.upload(*file))
    assert arguments[2] == "--json"
    return admin.ok(admin.post(url.removeprefix(HERE), json.loads(arguments[3])))


def test_the_command_of_each_empty_list_makes_the_first_row(admin: Api, signed_in: Browser, app: Flask) -> None:
    package = commands(signed_in.get("/ui/packages/").text)
    assert words(package["pack"])[-2:] == ["report_1.0.0.zip", "report/main.py"]
    assert call(admin, package["package"], (zipped({"main.py": ""}), "report_1.0.0.zip"))["name"] == "report"
    first = ("processes", "jobs", "queues", "queue-items", "assets", "machines")
    for path in (*first, "webhooks", "mail-notifications", "alert-rules"):
        page = signed_in.get(f"/ui/{path}/").text
        name = "item" if path == "queue-items" else app.extensions["bvo"].of(EntityType)[_name(path)].name
        assert call(admin, commands(page)[name])["id"] == 1, path
        assert not commands(signed_in.get(f"/ui/{path}/").text), "the next time there is a list"


def _name(path: str) -> str:
    return "process" if path == "processes" else path.replace("-", "_").removesuffix("s")


def test_no_list_is_empty_without_a_next_step(app: Flask, signed_in: Browser) -> None:
    for entity in app.extensions["bvo"].of(EntityType).values():
        page = signed_in.get(f"/ui/{entity.plural.replace('_', '-')}/").text
        if '<div class="empty">' in page:
            assert 'class="button primary"' in page or commands(page), entity.name


def options(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the program `bvo runner` understands."""
    monkeypatch.chdir(folder)
    (folder / "machine.key").touch()
    first, second, *arguments = words(command)
    assert (first, second) == ("bvo", "runner")
    return runner.make_context("runner", arguments).params


def test_a_robot_is_started_by_the_command_with_this_servers_own_address(
    admin: Api, signed_in: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = admin.a_job()["id"]
    machine = admin.ok(admin.post("/api/machines", {"name": "HOST-1"}))["id"]
    for page in ("/ui/", "/ui/robots/", f"/ui/machines/{machine}", f"/ui/jobs/{job}"):
        given = options(commands(signed_in.get(page).text)["runner"], tmp_path, monkeypatch)
        assert (given["url"], given["name"]) == (HERE, "robot-1")
        assert given["machine_key_file"].name == "machine.key"
    admin.ok(admin.put("/api/settings/general", {"public_url": "https://bvo.example.com/"}))
    robot = admin.a_robot("robot of Ada's")[0]["id"]
    given = options(commands(signed_in.get(f"/ui/robots/{robot}").text)["runner"], tmp_path, monkeypatch)
    assert (given["url"], given["name"]) == ("https://bvo.example.com", "robot of Ada's")
    assert commands(signed_in.get(f"/ui/jobs/{job}").text) == {}, "where there are robots, each has its reason"


def test_a_new_machines_page_starts_a_robot_with_the_key_that_it_shows(
    signed_in: Browser, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    sheet = signed_in.form("/ui/machines/new")
    page = signed_in.send(sheet, 200, name="HOST-1")
    (key,) = set(re.findall(r"bvom_[\w-]+", page.text))
    keep, start = re.split(r"\n(?=bvo )", commands(page.text)["runner"])
    subprocess.run(["sh", "-c", keep], cwd=tmp_path, check=True)
    kept = tmp_path / "machine.key"
    assert (kept.read_text().strip(), stat.S_IMODE(kept.stat().st_mode)) == (key, 0o600)
    given = options(start, tmp_path, monkeypatch)
    assert (given["url"], given["name"], given["machine_key_file"].name) == (HERE, "robot-1", "machine.key")
    assert key not in caplog.text + str(state.everything()) + str(page.headers) + signed_in.get("/ui/machines/1").text
    agent = signed_in.send(signed_in.form("/ui/machines/new"), name="HOST-2", mode="agent")
    assert "bvom_" not in agent.text, "it has no key"


def test_a_machines_new_key_is_shown_once_and_never_in_bulk(admin: Api, signed_in: Browser, state: State) -> None:
    for name, mode in (("HOST-1", "runner"), ("HOST-2", "agent")):
        admin.ok(admin.post("/api/machines", {"name": name, "mode": mode}))
    page = signed_in.send(signed_in.form("/ui/machines/1", "/ui/machines/1/renew_key"), 200)
    (key,) = set(re.findall(r"bvom_[\w-]+", page.text))
    assert f"echo {key} &gt; machine.key" in page.text
    assert key not in str(state.everything()) + signed_in.get("/ui/machines/1").text
    assert "renew_key" not in signed_in.get("/ui/machines/2").text + signed_in.get("/ui/machines/").text
    assert signed_in.get("/ui/machines/bulk?action=renew_key&id=1", 404)


def test_panels_without_anything_say_what_to_do(admin: Api, signed_in: Browser) -> None:
    process = admin.a_process()
    page = signed_in.get(f"/ui/processes/{process['id']}").text
    assert call(admin, commands(page)["job"])["process"]["id"] == process["id"]
    queue = admin.ok(admin.post("/api/queues", {"name": "Ada's"}))["id"]
    page = signed_in.get(f"/ui/queues/{queue}").text
    assert f'href="/ui/queue-items/new?queue_id={queue}"' in page
    assert call(admin, commands(page)["item"])["queue_id"] == queue
    assert commands(signed_in.get(f"/ui/queues/{queue}").text) == {}
    other = admin.a_package("unused")["id"]
    assert f'href="/ui/processes/new?package_id={other}"' in signed_in.get(f"/ui/packages/{other}").text
    user = admin.ok(admin.post("/api/access/users", {"username": "dana", "password": "correct horse"}))["id"]
    page = signed_in.get(f"/ui/users/{user}").text
    assert f'<a href="/ui/api-tokens/new?user_id={user}">New API token</a>' in page
    assert f'<a href="/ui/users/{user}/edit">Give the first role</a>' in page
    assert 'href="/ui/jobs/1#panel-waiting">Why is it waiting?' in signed_in.get("/ui/jobs/1").text


def test_who_may_create_nothing_is_told_what_it_needs(
    user_with: Callable[..., Api], client: FlaskClient, admin: Api
) -> None:
    user_with("queues:view", "robots:view")
    browser = Browser(client)
    browser.log_in("user-1", "correct horse")
    page = browser.get("/ui/queues/").text
    assert "that needs <code>queues:create</code>" in page
    assert "/ui/queues/new" not in page
    assert "An administrator creates a machine" in browser.get("/ui/robots/").text


# --- entity types of third parties


@pytest.fixture
def with_things(make_app: Callable[..., Flask], tmp_path: Path) -> Iterator[Flask]:
    site = Site(tmp_path / "site")
    site.declare("support.things", entry_point="things")
    app = make_app()
    with app.app_context():
        make_tables()
    yield app
    site.close()


def test_a_list_of_a_third_party_has_a_command_that_works(with_things: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser(with_things.test_client())
    browser.log_in()
    page = browser.get("/ui/things/").text
    assert "<h2>No things yet</h2>" in page
    assert '<a class="button primary" href="/ui/things/new">Create the first one</a>' in page
    sent = words(commands(page)["thing"])
    assert json.loads(sent[4]) == {"name": "a text"}
    monkeypatch.setattr(ThingService, "empty_template", "webui/empty_things.html", raising=False)
    assert beginnings.template_of(THING) == "webui/empty_things.html"


def test_the_command_sends_what_is_required_in_a_form_that_is_taken() -> None:
    class Everything(Schema):
        name = fields.String(required=True, metadata={"example": "Ada's"})
        left_out = fields.String()
        kind = fields.String(required=True, validate=validate.OneOf(("small", "large")))
        count = fields.Integer(required=True)
        share = fields.Float(required=True)
        is_new = fields.Boolean(required=True)
        day = fields.Date(required=True)
        at = fields.AwareDateTime(required=True)
        clock = fields.Time(required=True)
        email = fields.Email(required=True)
        url = fields.Url(required=True)
        tags = fields.List(fields.String(), required=True)
        more = fields.Dict(required=True)

    entity = EntityType(
        name="sample",
        plural="samples",
        label="Sample",
        model=THING.model,
        read_schema=Everything,
        write_schema=Everything,
        service=ThingService,
        scope=THING.scope,
    )
    sent = words(beginnings.command(entity, "https://bvo.example.com"))
    assert sent[-1] == "https://bvo.example.com/api/samples"
    loaded = Everything().load(json.loads(sent[4]))
    assert (loaded["name"], loaded["kind"], "left_out" in loaded) == ("Ada's", "small", False)
