"""The audit trail in a file: every event is a line of it, whoever writes, dies or moves it meanwhile."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from bvo import consumers, registry
from bvo.consumers import HeldEvents
from bvo.database import db
from bvo.errors import StartupError
from bvo.worker import Worker
from bvo_assets.service import AssetService
from bvo_audit_file import json_lines
from bvo_audit_file.configuration import configured
from bvo_audit_file.json_lines import JsonLines
from bvo_hookspecs import AuditSink
from support.walls import event, happen, logged, make_due

TRICKY = ["a\nb", "a\r\nb", "a\x00\x1b[2K", "a\x7f\x85\x9b", "a\u2028\u2029b", "\ud83d alone", "Zürich 🏭", '"},{"\\']
WRITES = """
import sys
from pathlib import Path
from bvo_audit_file.json_lines import JsonLines
from support.walls import event

file = JsonLines(Path(sys.argv[1]), max_bytes=5_000, keep=0)
print("ready", flush=True)
sys.stdin.readline()
number = 0
while number < 80:
    try:
        file.write([event(id=f"{sys.argv[2]}-{number}")])
        number += 1
    except TimeoutError:  # the other one was faster, again and again; a worker tries again, too
        continue
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def file(path: Path) -> JsonLines:
    return JsonLines(path, max_bytes=0, keep=0)


def lines(path: Path) -> list[dict[str, Any]]:
    """All lines of the file; one that is no whole line of JSON is an error."""
    text = path.read_bytes()
    assert text.endswith(b"\n")
    return [json.loads(line) for line in text.decode().splitlines()]


def ids(path: Path) -> list[str]:
    return [line["id"] for line in lines(path)]


def put_aside(path: Path) -> list[Path]:
    """What was the file before, the oldest first."""
    return sorted(found for found in path.parent.iterdir() if found.name.removeprefix(f"{path.name}.").isdecimal())


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk, a write that goes beyond it writes what fits, and the next one fails."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def test_a_line_has_all_that_the_event_has(file: JsonLines, path: Path) -> None:
    file.write([event(after={"height": 2}, metadata={"by": "hand"}, user_agent="browser")])
    assert path.read_text("utf-8") == (
        '{"id":"01978f3a-5c00-7000-8000-0123456789ab","type":"wall.built","action":"wall.build","action_type":"created",'
        '"occurred_at":"2026-11-02T08:30:00.000000Z","actor_kind":"user","actor_id":3,"actor_name":"anna",'
        '"entity_type":"wall","entity_label":"Wall","entity_id":"17","entity_name":"tower","message":"Built.",'
        '"before":null,"after":{"height":2},"metadata":{"by":"hand"},"ip_address":null,"user_agent":"browser","place":0}\n'
    )


def test_only_its_owner_may_read_it(file: JsonLines, path: Path) -> None:
    file.write([event()])
    modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()}
    assert modes == {"audit.jsonl": 0o600, "audit.jsonl.lock": 0o600}


@pytest.mark.parametrize("text", TRICKY, ids=ascii)
def test_no_text_can_begin_a_line(file: JsonLines, path: Path, text: str) -> None:
    file.write([event(entity_name=text, after={text: text})])
    (line,) = lines(path)
    assert (line["entity_name"], line["after"]) == (text, {text: text})
    assert path.read_text("utf-8")[:-1].isprintable()


def test_a_large_file_is_put_aside_and_the_oldest_are_removed(path: Path) -> None:
    file = JsonLines(path, max_bytes=1_000, keep=2)
    for number in range(10):
        file.write([event(id=str(number))])
    assert [ids(found) for found in put_aside(path)] == [["4", "5"], ["6", "7"]]
    assert ids(path) == ["8", "9"]


def test_all_are_kept_where_that_is_wanted(path: Path) -> None:
    file = JsonLines(path, max_bytes=1, keep=0)
    for number in range(5):
        file.write([event(id=str(number))])
    assert [ids(found) for found in [*put_aside(path), path]] == [["0"], ["1"], ["2"], ["3"], ["4"]]


def test_after_the_clock_was_set_back_the_newest_is_still_the_last(path: Path) -> None:
    path.with_name("audit.jsonl.20991231235959").write_text("{}\n")
    file = JsonLines(path, max_bytes=1, keep=2)
    for number in range(4):
        file.write([event(id=str(number))])
    assert [ids(found) for found in [*put_aside(path), path]] == [["1"], ["2"], ["3"]]


def test_two_processes_write_and_put_aside_at_once_and_every_line_is_there_once(path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command, pipe = (sys.executable, "-c", WRITES, str(path)), subprocess.PIPE
    writers = [
        subprocess.Popen((*command, name), env=environment, stdin=pipe, stdout=pipe, text=True) for name in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0]
    written = [id_ for found in [*put_aside(path), path] for id_ in ids(found)]
    for name in ("a", "b"):
        assert [id_ for id_ in written if id_.startswith(name)] == [f"{name}-{number}" for number in range(80)]
    assert len(written) == 160
    assert len(put_aside(path)) > 5


def test_what_another_program_has_moved_away_is_begun_anew(file: JsonLines, path: Path) -> None:
    file.write([event(id="first")])
    path.rename(path.with_name("moved"))
    file.write([event(id="second")])
    assert (ids(path.with_name("moved")), ids(path)) == (["first"], ["second"])


def test_a_line_in_a_file_that_is_moved_away_at_this_moment_is_in_the_new_one_too(
    file: JsonLines, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has moved it, e.g. to compress it, may have read it before."""
    file.write([event(id="first")])
    sync = os.fsync

    def move_and_sync(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", sync)
        path.rename(path.with_name("moved"))
        path.touch()
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", move_and_sync)
    file.write([event(id="second")])
    assert (ids(path.with_name("moved")), ids(path)) == (["first", "second"], ["second"])


def test_a_full_disk_leaves_no_half_line_and_is_told(file: JsonLines, path: Path) -> None:
    file.write([event(id="first")])
    before = path.read_bytes()
    with files_of_at_most(len(before) + 100), pytest.raises(OSError, match="File too large"):
        file.write([event(id="second")])
    assert path.read_bytes() == before
    file.write([event(id="second")])
    assert ids(path) == ["first", "second"]


def test_what_did_not_reach_the_disk_is_no_line(file: JsonLines, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output error"):
            file.write([event()])
    assert path.read_bytes() == b""


def test_the_half_line_of_a_writer_that_was_killed_stands_alone(file: JsonLines, path: Path) -> None:
    path.write_bytes(b'{"id":"first"}\n{"id":"sec')
    file.write([event(id="second")])
    first, half, second = path.read_text("utf-8").splitlines()
    assert (json.loads(first)["id"], half, json.loads(second)["id"]) == ("first", '{"id":"sec', "second")


def test_a_writer_that_was_stopped_keeps_others_waiting_for_a_moment_only(
    file: JsonLines, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "LOCK_SECONDS", 0.05)
    with path.with_name("audit.jsonl.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match=r"another process holds .*audit\.jsonl\.lock"):
            file.write([event()])
    file.write([event()])
    assert len(lines(path)) == 1


def test_the_worker_writes_every_event_and_no_secret(
    make_app: Callable[..., Flask], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BVO_AUDIT_FILE", str(path))
    app = make_app()
    with app.app_context():
        consumers.enroll()
        asset = {"name": "api-key", "type": "secret", "value": "canary-4711"}
        registry.current().service(AssetService).create(asset)
        happen("tower")
        Worker(app).step()
        written = lines(path)
        assert [(line["id"], line["type"]) for line in written] == [(each.id, each.type) for each in logged()]
    assert written[0]["after"]["value"] == "***"
    assert "canary-4711" not in path.read_text("utf-8")


def test_what_could_not_be_written_is_written_later_and_in_order(
    make_app: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "trail"
    folder.mkdir()
    monkeypatch.setenv("BVO_AUDIT_FILE", str(folder / "audit.jsonl"))
    app = make_app()
    with app.app_context():
        consumers.enroll()
        folder.rename(tmp_path / "away")
        for height in range(3):
            happen("tower", after={"height": height})
        Worker(app).step()
        (error,) = db.session.scalars(select(HeldEvents.last_error))
        assert "sink:audit_file of the plugin audit_file: FileNotFoundError" in error
        (tmp_path / "away").rename(folder)
        make_due()
        Worker(app).step()
    assert [line["after"]["height"] for line in lines(folder / "audit.jsonl")] == [0, 1, 2]


def test_without_a_file_there_is_no_sink(sqlite_app: Callable[..., Flask]) -> None:
    with sqlite_app().app_context():
        assert registry.current().of(AuditSink) == {}


def test_a_file_is_made_by_what_is_written_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVO_AUDIT_FILE", str(path))
    (sink,) = configured()
    assert list(path.parent.iterdir()) == []
    sink.write([event()])
    assert path.exists()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"BVO_AUDIT_FILE": "{folder}"}, "which is no file: name one, e.g. {folder}/audit.jsonl."),
        ({"BVO_AUDIT_FILE": "/dev/null"}, "which is no file"),
        ({"BVO_AUDIT_FILE": "{folder}/none/a.jsonl"}, "nothing can be written in the folder {folder}/none. Make it"),
        (
            {"BVO_AUDIT_FILE_MAX_MB": "1.5"},
            "BVO_AUDIT_FILE_MAX_MB is '1.5': use a whole number from 1 to 1000000, e.g. 100.",
        ),
        ({"BVO_AUDIT_FILE_KEEP": "-1"}, "BVO_AUDIT_FILE_KEEP is '-1': use a whole number from 0 to 1000000, e.g. 10."),
    ],
)
def test_what_is_configured_wrongly_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, str], told: str
) -> None:
    for name, value in ({"BVO_AUDIT_FILE": "{folder}/audit.jsonl"} | values).items():
        monkeypatch.setenv(name, value.format(folder=tmp_path))
    with pytest.raises(StartupError) as refused:
        configured()
    assert told.format(folder=tmp_path) in str(refused.value)


def test_it_stops_the_start(sqlite_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVO_AUDIT_FILE", "/")
    with pytest.raises(StartupError, match="BVO_AUDIT_FILE is /,"):
        sqlite_app()
