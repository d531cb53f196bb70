"""The plugin of docs/plugins.md: what is printed is what stands in examples/, and it works when it is installed."""

from __future__ import annotations

import ast
import json
import os
import shutil
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.markdown import ROOT, blocks
from docs.session import has_curl_with_json, run, sessions
from support.servers import Server, bvo, free_port

DOCUMENT = ROOT / "docs" / "plugins.md"
EXAMPLE = ROOT / "examples" / "plugins" / "bvo-holidays"
REVISION = Path("bvo_holidays", "migrations", "holidays_0001_create_holidays.py")


@pytest.fixture(scope="module")
def python_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the plugin installed: its code, and the metadata that an installer makes of pyproject.toml."""
    return str(installed(tmp_path_factory.mktemp("site")))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(python_path: str, data: Path) -> Iterator[Server]:
    with Server(data, PYTHONPATH=python_path, BVO_DATA_DIR=data) as running:
        running.log_in()
        yield running


def test_the_document_prints_the_files_of_the_example() -> None:
    printed = {block.notes["file"]: block.text for block in blocks(DOCUMENT) if "file" in block.notes}
    assert printed == {str(path.relative_to(EXAMPLE)): path.read_text("utf-8") for path in example_files()}


def test_it_is_as_small_as_the_document_says() -> None:
    by_hand = [path for path in example_files() if path.suffix in (".py", ".html") and path != EXAMPLE / REVISION]
    assert sum(bool(line.strip()) for path in by_hand for line in path.read_text("utf-8").splitlines()) < 150


def test_the_steps_of_the_document_lead_to_the_example(tmp_path: Path) -> None:
    if not has_curl_with_json():
        if os.environ.get("CI"):
            pytest.fail("CI lacks curl 7.82 or newer")
        pytest.skip("this machine lacks curl 7.82 or newer")
    installed(tmp_path)
    shutil.rmtree(tmp_path / REVISION.parent)
    (steps,) = sessions(blocks(DOCUMENT)).values()
    output = run(steps, tmp_path, {"8000": str(free_port())}, PYTHONPATH=tmp_path)
    assert "2 of 2 holidays were new." in output
    assert "0 of 2 holidays were new." in output
    assert '"name":"Boxing Day"' in output
    assert same_code(tmp_path / REVISION, EXAMPLE / REVISION)


def test_it_is_listed_like_a_built_in_one(server: Server, python_path: str, data: Path) -> None:
    listed = json.loads(bvo("plugins", "list", "--json", PYTHONPATH=python_path, BVO_DATA_DIR=data).stdout)
    (found,) = [plugin for plugin in listed if plugin["name"] == "holidays"]
    assert (found["state"], found["builtin"]) == ("loaded", False)


def test_its_command_refuses_what_the_schema_refuses(server: Server, python_path: str, data: Path) -> None:
    (data / "wrong.csv").write_text("date,name\n2030-02-30,No such day\n", encoding="utf-8")
    refused = bvo("holidays", "import", str(data / "wrong.csv"), PYTHONPATH=python_path, BVO_DATA_DIR=data)
    assert refused.returncode == 1
    assert "Not a valid date." in refused.stderr


def test_the_api_creates_lists_and_refuses(server: Server) -> None:
    created = server.call("POST", "/api/holidays", json={"date": "2030-05-01", "name": "Labour Day"})
    assert server.call("GET", "/api/holidays?search=labour&upcoming=true") == [created]
    assert server.call("GET", "/api/holidays?search=labour&upcoming=false") == []
    again = server.session.post(f"{server.url}/api/holidays", json={"date": "2030-05-01", "name": "Labour Day"})
    assert again.status_code == 409
    assert server.session.post(f"{server.url}/api/holidays", json={"name": "Never"}).status_code == 422


def test_a_change_is_in_the_audit_log_and_in_the_emitters_file(server: Server, data: Path) -> None:
    created = server.call("POST", "/api/holidays", json={"date": "2030-06-21", "name": "Midsummer", "region": "SE"})
    (row,) = server.call("GET", f"/api/audit?entity_type=holiday&entity_id={created['id']}")["items"]
    assert (row["action"], row["entity_name"], row["actor_username"]) == ("holiday.create", "Midsummer", "admin")
    assert {"type": "holiday.created", "holiday": created} in [
        {key: event[key] for key in ("type", "holiday")} for event in told(data, "Midsummer")
    ]


def test_the_pages_show_it(server: Server) -> None:
    server.call("POST", "/api/holidays", json={"date": "2030-01-06", "name": "Epiphany", "region": "BY"})
    for page in ("/ui/holidays/", "/ui/"):
        response = server.session.get(server.url + page, headers={"Accept": "text/html"})
        assert response.status_code == 200
        assert "Epiphany" in response.text


def told(data: Path, name: str) -> list[dict]:
    """The lines of the emitter's file, as soon as one names the holiday."""
    path, deadline = data / "holidays-events.jsonl", time.monotonic() + 20
    while not path.exists() or name not in path.read_text("utf-8"):
        assert time.monotonic() < deadline, f"the worker has told nothing of {name}"
        time.sleep(0.05)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def installed(folder: Path) -> Path:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    (metadata / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
            for group, entries in project["entry-points"].items()
        ),
        encoding="utf-8",
    )
    shutil.copytree(EXAMPLE / "bvo_holidays", folder / "bvo_holidays", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def example_files() -> list[Path]:
    return [path for path in sorted(EXAMPLE.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]


def same_code(one: Path, other: Path) -> bool:
    """True where two modules differ in nothing but format and comments."""
    return ast.dump(ast.parse(one.read_text("utf-8"))) == ast.dump(ast.parse(other.read_text("utf-8")))
