"""`bvo packages move`: from one store to another while servers run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from flask import Flask

from bvo import create_app, stores
from bvo_hookspecs import Store
from bvo_packages import moving
from bvo_s3 import connection
from bvo_s3.store import S3Store
from conftest import as_admin
from support.api import zipped
from support.databases import Databases
from support.program import Program, disposing
from support.s3 import Bucket
from support.servers import free_port
from support.work import Work

BOTH = pytest.mark.parametrize("kind", ["sqlite", "postgres"])
"""Where it matters which rows are there."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where everything lies at first."""
    return tmp_path / "data/store"


@pytest.fixture
def kind() -> str:
    """The kind of database."""
    return "sqlite"


@pytest.fixture
def migrated(kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a server with a migrated database, as the program reads it."""
    databases: Databases = request.getfixturevalue(kind)
    monkeypatch.setenv("BVO_DATABASE_URL", databases.fresh())
    monkeypatch.setenv("BVO_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def app_with(migrated: None, bucket: Bucket) -> Iterator[Callable[[str], Flask]]:
    """Builds servers with these stores, on the database and the data folder of the program."""
    with disposing():
        yield lambda names: create_app({"BVO_PACKAGE_STORE": names})


@pytest.fixture
def filled(app_with: Callable[[str], Flask]) -> list[str]:
    """The keys of some packages, and of a job's artifact at the end, in the folder."""
    admin = as_admin(app_with("folder"))
    work = Work(admin)
    artifact = work.api.ok(work.artifact(b"a,b\n" * 100_000, "report.csv"))
    packages = [
        work.job["package"],
        *(admin.a_package(f"p{number}", **{"main.py": f"{number}"}) for number in range(4)),
    ]
    return [*map(key_of, packages), f"artifacts/{work.job['id']}/{artifact['sha256']}"]


def key_of(package: dict[str, Any]) -> str:
    return f"packages/{package['sha256']}.zip"


def move(cli: Program, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the outcome."""
    code = cli.run("packages", "move", "--to", "s3", "--json", *arguments)
    return code, json.loads(cli.out)


def check_readable(store: Store, keys: list[str]) -> None:
    for key in keys:
        with store.open(key) as file:
            assert file.read(), key


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


# --- all is well


@BOTH
def test_everything_moves_in_two_steps(
    filled: list[str],
    bucket: Bucket,
    cli: Program,
    app_with: Callable[[str], Flask],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, early = move(cli)
    assert (code, early["copied"], early["present"], early["failed"]) == (0, len(filled), 0, {})
    assert "BVO_PACKAGE_STORE=s3,folder, then run this again" in early["next"]
    late = key_of(as_admin(app_with("folder")).a_package("late", **{"main.py": "late"}))
    with app_with("s3,folder").app_context():
        check_readable(stores.current(), [*filled, late])

    monkeypatch.setenv("BVO_PACKAGE_STORE", "s3,folder")
    code, again = move(cli)
    assert (code, again["copied"], again["present"]) == (0, 1, len(filled))
    assert "Restart the servers with BVO_PACKAGE_STORE=s3," in again["next"]
    assert bucket.keys() == {*filled, late}
    check_readable(connection.connect(Path()), [*filled, late])


def test_what_was_moved_is_deleted_on_request(
    filled: list[str], folder: Path, cli: Program, app_with: Callable[[str], Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BVO_PACKAGE_STORE", "s3,folder")
    damage(folder / filled[0])
    code, outcome = move(cli, "--delete")
    assert (code, outcome["failed"]) == (1, {filled[0]: "damaged"})
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / filled[0]]
    check_readable(connection.connect(Path()), filled[1:])


def test_rows_that_share_a_blob_lose_it_to_nobody(
    filled: list[str], app_with: Callable[[str], Flask], cli: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, content = as_admin(app_with("folder")), zipped({"main.py": "shared"})
    shared = [admin.ok(admin.upload(content, f"shared_{version}.0.0.zip")) for version in range(20)]
    assert len({key_of(package) for package in shared}) == 1
    monkeypatch.setenv("BVO_PACKAGE_STORE", "s3,folder")
    code, outcome = move(cli, "--delete")
    assert (code, outcome["failed"]) == (0, {})
    check_readable(connection.connect(Path()), [*filled, key_of(shared[0])])


def test_the_way_back_is_the_same(
    filled: list[str], folder: Path, cli: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BVO_PACKAGE_STORE", "s3,folder")
    assert move(cli, "--delete")[0] == 0
    monkeypatch.setenv("BVO_PACKAGE_STORE", "folder,s3")
    assert cli.run("packages", "move", "--to", "folder") == 0
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == set(filled)


# --- what happens meanwhile


def test_what_is_uploaded_in_the_middle_of_it_lies_there_already(
    filled: list[str], app_with: Callable[[str], Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "BATCH", 1)
    app = app_with("s3,folder")
    keys, outcomes = list(filled), []
    with app.app_context():
        for _, outcome in running(app):
            if not outcomes:
                keys.append(key_of(as_admin(app).a_package("new", **{"main.py": "new"})))
            check_readable(stores.current(), keys)
            outcomes.append(outcome)
    assert sorted(outcomes) == [*["copied"] * len(filled), "present"]
    check_readable(connection.connect(Path()), keys)


@BOTH
def test_what_is_deleted_in_the_middle_of_it_is_not_missed(
    filled: list[str], app_with: Callable[[str], Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "BATCH", 2)
    app, opened = app_with("folder,s3"), []

    def open_late(store: S3Store, key: str) -> BinaryIO:
        if key == filled[1] and key not in opened:
            opened.append(key)
            admin = as_admin(app)
            (package,) = (found for found in admin.ok(admin.get("/api/packages")) if key_of(found) == key)
            assert admin.delete(f"/api/packages/{package['id']}").status_code == 204
        return original(store, key)

    original = S3Store.open
    monkeypatch.setattr(S3Store, "open", open_late)
    with app.app_context():
        outcomes = {blob.key: outcome for blob, outcome in running(app)}
    assert outcomes == dict.fromkeys(filled, "copied") | {filled[1]: "gone"}


def running(app: Flask) -> Iterator[tuple[moving.Blob, moving.Outcome]]:
    by_name = stores.current().by_name
    return moving.Move(sources={"folder": by_name["folder"]}, target=by_name["s3"], delete=False).run()


# --- what goes wrong


@pytest.mark.parametrize("stop", [OSError("the line is cut"), KeyboardInterrupt()], ids=["store", "operator"])
def test_where_it_is_stopped_it_goes_on_from_there(
    filled: list[str], bucket: Bucket, cli: Program, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    put = S3Store.put

    def put_some(store: S3Store, key: str, source: BinaryIO) -> None:
        if key == filled[3]:
            raise stop
        put(store, key, source)

    monkeypatch.setattr(moving, "BATCH", 3)
    with monkeypatch.context() as patch:
        patch.setattr(S3Store, "put", put_some)
        assert cli.run("packages", "move", "--to", "s3") == 1
    moved = bucket.keys()
    assert filled[3] not in moved
    assert set(filled[:3]) <= moved
    if isinstance(stop, OSError):
        assert "the line is cut. What was moved stays moved: run it again." in cli.err
    code, outcome = move(cli)
    assert (code, outcome["copied"] + outcome["present"]) == (0, len(filled))
    assert outcome["present"] >= 3
    assert bucket.keys() == set(filled)


def test_what_is_missing_or_damaged_is_named_and_the_rest_moves(
    filled: list[str], folder: Path, bucket: Bucket, cli: Program
) -> None:
    damage(folder / filled[0])
    (folder / filled[-1]).unlink()
    code, outcome = move(cli)
    assert (code, outcome["copied"]) == (1, len(filled) - 2)
    assert outcome["failed"] == {filled[0]: "damaged", filled[-1]: "missing"}
    assert bucket.keys() == set(filled[1:-1])
    assert cli.run("packages", "move", "--to", "s3") == 1
    assert f"{filled[0]} is damaged\n{filled[-1]} is missing\n" in cli.err
    assert f"{len(filled)}/{len(filled)}" in cli.err
    assert cli.out.startswith(f"0 were copied, {len(filled) - 2} were there, 2 could not be moved.\n")


def test_what_is_damaged_where_it_goes_to_is_copied_anew(filled: list[str], bucket: Bucket, cli: Program) -> None:
    assert move(cli)[0] == 0
    bucket.damage(filled[0])
    bucket.damage(filled[-1])
    code, outcome = move(cli)
    assert (code, outcome["copied"], outcome["present"]) == (0, 2, len(filled) - 2)
    assert move(cli)[1]["present"] == len(filled)


@pytest.mark.parametrize(
    ("chosen", "arguments", "message"),
    [
        ("folder", ("--to", "tape"), "there is no store tape; there are: folder, s3"),
        ("s3", ("--to", "s3"), "BVO_PACKAGE_STORE is s3 alone. Name behind it what to move from: s3,<store>."),
        ("folder,s3", ("--to", "s3", "--delete"), "restart them with BVO_PACKAGE_STORE=s3,… first"),
        ("folder", (), "Missing option '--to'"),
    ],
)
def test_a_move_that_makes_no_sense_is_refused(
    app_with: object,
    cli: Program,
    monkeypatch: pytest.MonkeyPatch,
    chosen: str,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.setenv("BVO_PACKAGE_STORE", chosen)
    assert cli.run("packages", "move", *arguments) == 2
    assert message in " ".join(cli.err.split())


def test_a_store_that_can_not_be_reached_ends_it_at_once(
    filled: list[str], cli: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BVO_S3_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    assert cli.run("packages", "move", "--to", "s3") == 1
    assert "Could not connect" in cli.err
    assert "Traceback" not in cli.err
