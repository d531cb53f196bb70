"""Stores: what holds for each kind, and for several at once; S3, when all is well and when it is not."""

from __future__ import annotations

import hashlib
import io
import socket
import sys
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
import requests
from flask import Flask

from bvo.errors import StartupError
from bvo.stores import Stores, StoreUnavailable
from bvo_hookspecs import DamagedBlob, Store
from bvo_packages.store import FolderStore
from bvo_s3 import connection
from conftest import as_admin
from support.api import zipped
from support.problems import refused
from support.s3 import Bucket, comparing_server
from support.servers import Server, free_port, queue_job
from support.work import Work

KEY = "packages/0f1e.zip"
MB = 1024 * 1024


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store of each kind: a test that asks for it runs once on each."""
    if request.param == "folder":
        return FolderStore(tmp_path)
    request.getfixturevalue("bucket")
    return connection.connect(tmp_path)


def read(store: Store, key: str = KEY) -> bytes:
    with store.open(key) as file:
        return file.read()


# --- every kind


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_a_blob_comes_back_as_it_was_put(store: Store, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"." * (size % 256)
    store.put(KEY, io.BytesIO(content))
    assert read(store) == content


def test_a_blob_may_come_from_a_spooled_upload(store: Store) -> None:
    with tempfile.SpooledTemporaryFile(max_size=1000) as upload:
        upload.write(b"body" * 1000)
        upload.seek(0)
        store.put(KEY, upload)  # type: ignore[arg-type]
    assert read(store) == b"body" * 1000


def test_a_blob_of_an_equal_key_is_replaced_and_others_stay(store: Store) -> None:
    store.put(KEY, io.BytesIO(b"one"))
    store.put("artifacts/7/ab", io.BytesIO(b"other"))
    store.put(KEY, io.BytesIO(b"two"))
    assert (read(store), read(store, "artifacts/7/ab")) == (b"two", b"other")


def test_a_blob_that_is_not_there_is_missed_when_it_is_opened_and_not_when_it_is_deleted(store: Store) -> None:
    store.delete(KEY)
    with pytest.raises(FileNotFoundError):
        store.open(KEY)
    store.put(KEY, io.BytesIO(b"one"))
    store.delete(KEY)
    with pytest.raises(FileNotFoundError):
        store.open(KEY)


def test_what_breaks_off_while_it_is_put_leaves_what_was_there(store: Store) -> None:
    class BreaksOff(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 500_000:
                raise ConnectionResetError("the client has gone")
            return super().read(size)

    store.put(KEY, io.BytesIO(b"one"))
    with pytest.raises(OSError, match="has gone"):
        store.put(KEY, BreaksOff(b"two" * 500_000))
    assert read(store) == b"one"


@pytest.mark.parametrize("size", [1000, 1_000_000])
def test_a_zip_is_looked_into_where_it_lies(store: Store, size: int) -> None:
    noise = bytes(number * number % 251 for number in range(size))
    store.put(KEY, io.BytesIO(zipped({"noise.bin": noise, "readme.md": "Greets people.", "more.bin": noise})))
    with store.open(KEY) as file, zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["noise.bin", "readme.md", "more.bin"]
        assert archive.read("readme.md") == b"Greets people."
        assert archive.read("more.bin") == noise
        assert archive.testzip() is None


def test_a_blob_is_read_from_any_place(store: Store) -> None:
    content = b"".join(b"%08d" % number for number in range(100_000))
    store.put(KEY, io.BytesIO(content))
    with store.open(KEY) as file:
        assert file.read(8) == b"00000000"
        assert (file.seek(-8, io.SEEK_END), file.read(), file.read()) == (len(content) - 8, b"00099999", b"")
        assert (file.seek(400_000), file.read(16), file.tell()) == (400_000, b"0005000000050001", 400_016)
        assert (file.seek(len(content) + 5), file.read(1)) == (len(content) + 5, b"")
        assert (file.seek(0), file.read()) == (0, content)


def test_memory_stays_flat_however_large_a_blob_is(store: Store, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(48 * MB)
    with large.open("rb") as file, flat_memory():
        store.put(KEY, file)
    with store.open(KEY) as blob, flat_memory():
        assert sum(map(len, iter(lambda: blob.read(MB), b""))) == 48 * MB


@contextmanager
def flat_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MB


def test_a_store_that_works_is_healthy(store: Store) -> None:
    store.check()


# --- several at once


def test_the_first_store_takes_what_is_new_and_all_are_read_and_deleted_from(tmp_path: Path) -> None:
    new, old = FolderStore(tmp_path / "new"), FolderStore(tmp_path / "old")
    both = Stores({"new": new, "old": old})
    old.put(KEY, io.BytesIO(b"old"))
    assert read(both) == b"old"
    both.put(KEY, io.BytesIO(b"new"))
    assert (read(both), read(new), read(old)) == (b"new", b"new", b"old")
    both.delete(KEY)
    for store in (both, new, old):
        with pytest.raises(FileNotFoundError):
            store.open(KEY)


def test_a_blob_that_is_moved_while_it_is_looked_for_is_found(tmp_path: Path) -> None:
    new = FolderStore(tmp_path)

    class Moving(FolderStore):
        def open(self, key: str) -> BinaryIO:
            new.put(key, io.BytesIO(b"moved"))
            raise FileNotFoundError(key)

    assert read(Stores({"new": new, "old": Moving(tmp_path)})) == b"moved"


def test_a_store_that_fails_is_named_and_no_other_is_asked_instead(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new/store").write_text("not a folder")
    old = FolderStore(tmp_path / "old")
    old.put(KEY, io.BytesIO(b"old"))
    both = Stores({"new": FolderStore(tmp_path / "new"), "old": old})
    for attempt in (lambda: both.open(KEY), lambda: both.put(KEY, io.BytesIO(b"")), both.check):
        with pytest.raises(StoreUnavailable, match="the store new can't be read or written"):
            attempt()


# --- S3: configuration


def test_the_bucket_has_its_keys_below_the_prefix(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVO_S3_PREFIX", "/bvo/production/")
    connection.connect(Path()).put(KEY, io.BytesIO(b"one"))
    assert bucket.keys() == {f"bvo/production/{KEY}"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("BVO_S3_BUCKET", "", "needs a bucket: set BVO_S3_BUCKET"),
        ("BVO_S3_ENDPOINT", "minio:9000", "must be a URL like https://"),
        ("BVO_S3_ENDPOINT", "https://key:geheim@minio", "without credentials"),
    ],
)
def test_a_configuration_that_is_wrong_stops_the_start_and_says_what_to_do(
    bucket: Bucket,
    sqlite_app: Callable[..., Flask],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    message: str,
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StartupError, match=message) as caught:
        sqlite_app(BVO_PACKAGE_STORE="s3")
    assert "geheim" not in str(caught.value)


def test_without_boto3_the_start_says_what_to_install_and_only_where_s3_is_chosen(
    sqlite_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    sqlite_app()
    with pytest.raises(StartupError, match=r"pip install 'bv-orchestrator\[s3\]'"):
        sqlite_app(BVO_PACKAGE_STORE="folder,s3")


# --- S3: damage


class Flickers(io.BytesIO):
    """Holds other bytes as soon as it was read once: as if they were damaged on their way."""

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        if not piece:
            self.getbuffer()[:1] = b"!"
        return piece


def test_a_server_can_refuse_what_was_damaged_on_its_way(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    with comparing_server() as url:
        monkeypatch.setenv("BVO_S3_ENDPOINT", url)
        store = connection.connect(Path())
        store.put(KEY, io.BytesIO(b"sound"))
        with pytest.raises(OSError, match="BadDigest"):
            store.put(KEY, Flickers(b"sound"))


@pytest.mark.parametrize("size", [100, MB])
def test_what_comes_back_damaged_is_noticed_before_its_end_is_handed_out(bucket: Bucket, size: int) -> None:
    store = connection.connect(Path())
    store.put(KEY, io.BytesIO(b"x" * size))
    bucket.damage(KEY)
    received = 0
    with pytest.raises(DamagedBlob), store.open(KEY) as file:
        while piece := file.read(10_000):
            received += len(piece)
    assert received < size


# --- S3: when it can't be reached


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def unreachable() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize("server", ["silent", "unreachable"])
def test_a_server_that_does_not_answer_fails_each_call_in_bounded_time(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, bucket: Bucket, server: str
) -> None:
    monkeypatch.setattr(connection, "READ_SECONDS", 0.1)
    monkeypatch.setattr(connection, "ATTEMPTS", 1)
    monkeypatch.setenv("BVO_S3_ENDPOINT", request.getfixturevalue(server))
    store, calls = connection.connect(Path()), 0
    started = time.monotonic()
    for attempt in (
        lambda: store.open(KEY),
        lambda: store.put(KEY, io.BytesIO(b"one")),
        lambda: store.delete(KEY),
        store.check,
    ):
        with pytest.raises(OSError, match=r"127\.0\.0\.1") as caught:
            attempt()
        assert not isinstance(caught.value, FileNotFoundError)
        calls += 1
    assert time.monotonic() - started < calls * 3


def test_a_bucket_that_does_not_exist_is_no_missing_blob(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVO_S3_BUCKET", "nowhere")
    store = connection.connect(Path())
    with pytest.raises(OSError, match="NoSuchBucket"):
        store.open(KEY)
    with pytest.raises(OSError, match="Not Found"):
        store.check()


# --- S3: the product on it


def test_packages_and_artifacts_go_through_the_api_to_the_bucket_and_back(
    make_app: Callable[..., Flask], bucket: Bucket, tmp_path: Path
) -> None:
    work = Work(as_admin(make_app(BVO_PACKAGE_STORE="s3")))
    package = work.job["package"]
    for headers in ({}, {"Range": "bytes=1-2"}):
        with work.api.get(f"/api/packages/{package['id']}/download", headers=headers) as download:
            assert zipfile.ZipFile(io.BytesIO(download.data)).namelist() == ["main.py"]
    kept = work.api.ok(work.artifact(b"a,b\n" * 200_000, "report.csv"))
    with work.admin.get(f"/api/jobs/{work.job['id']}/artifacts/{kept['id']}") as download:
        assert download.data == b"a,b\n" * 200_000
    artifact = f"artifacts/{work.job['id']}/{kept['sha256']}"
    assert bucket.keys() == {f"packages/{package['sha256']}.zip", artifact}
    assert not (tmp_path / "data/store").exists()
    replaced = work.api.ok(work.artifact(b"c,d", "report.csv"))
    assert bucket.keys() == {f"packages/{package['sha256']}.zip", artifact.replace(kept["sha256"], replaced["sha256"])}
    assert work.admin.get("/healthz").status_code == 200


def test_while_the_store_is_away_requests_for_it_are_told_to_come_again_and_nothing_is_kept(
    sqlite_app: Callable[..., Flask],
    bucket: Bucket,
    unreachable: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = as_admin(sqlite_app(BVO_PACKAGE_STORE="s3")).a_package()
    monkeypatch.setenv("BVO_S3_ENDPOINT", unreachable)
    monkeypatch.setattr(connection, "ATTEMPTS", 1)
    admin = as_admin(sqlite_app(BVO_PACKAGE_STORE="s3"))
    refused(admin.upload(zipped({"main.py": ""}), "other_1.0.0.zip"), 503, "can't be read or written now")
    answer = admin.get(f"/api/packages/{kept['id']}/content")
    refused(answer, 503, "can't be read or written now")
    assert answer.headers["Retry-After"] == "5"
    assert "the store s3 can't be read or written: Could not connect" in caplog.text
    assert "127.0.0.1" not in answer.get_data(as_text=True)
    assert [package["id"] for package in admin.ok(admin.get("/api/packages"))] == [kept["id"]]
    health = admin.get("/healthz")
    assert (health.status_code, health.get_json()["checks"]["package_store"]) == (503, "failed")


def test_a_server_sends_what_the_bucket_holds_and_breaks_off_if_it_is_damaged(bucket: Bucket, tmp_path: Path) -> None:
    with Server(tmp_path, BVO_PACKAGE_STORE="s3", **bucket.environment) as server:
        server.log_in()
        queue_job(server, "Report", {"main.py": "", "noise.bin": bytes(number % 251 for number in range(MB))})
        (key,) = bucket.keys()
        address = f"{server.url}/api/packages/1/content"
        answer = server.session.get(address, timeout=30)
        bucket.damage(key)
        with pytest.raises(requests.RequestException):
            server.session.get(address, timeout=30)
    assert key == f"packages/{hashlib.sha256(answer.content).hexdigest()}.zip"
