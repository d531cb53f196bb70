"""Packages: what is refused leaves no trace, what is accepted never changes."""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import zipfile

import pytest

from support.api import Api, zipped
from support.problems import refused
from support.state import State

GOOD = zipped({"main.py": "print('hi')"})


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("main.py", b"0" * 20_000_000)
    return buffer.getvalue()


def symlink() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("main.py", "")
        link = zipfile.ZipInfo("link.py")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return buffer.getvalue()


def encrypted() -> bytes:
    content = bytearray(GOOD)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


HOSTILE = {
    "not a zip": (b"hello", "not a zip"),
    "no bytes": (b"", "not a zip"),
    "no files": (zipped({}), "no files"),
    "no script": (zipped({"notes.txt": ""}), "no .py file"),
    "a bomb": (bomb(), "over 100 times"),
    "an absolute path": (zipped({"/etc/cron.py": ""}), "absolute"),
    "a path that leads out": (zipped({"../main.py": ""}), ".. segment"),
    "a link": (symlink(), "link.py"),
    "names that differ in case": (zipped({"main.py": "", "Main.py": ""}), "differ only in case"),
    "an encrypted file": (encrypted(), "encrypted"),
    "a cut-off file": (GOOD[:-30], "pack it again"),
}


def test_an_upload_is_named_by_its_file_and_gives_back_the_same_bytes(admin: Api) -> None:
    package = admin.ok(
        admin.upload(zipped({"main.py": "1", "lib/util.py": "2", "a.txt": "3"}), "invoice_bot_1.2.3.zip")
    )
    assert (package["name"], package["version"], package["is_active"]) == ("invoice_bot", "1.2.3", True)
    assert package["scripts"] == ["main.py", "lib/util.py"]
    with admin.get(f"/api/packages/{package['id']}/content") as content:
        digest = hashlib.sha256(content.data)
    assert (package["sha256"], package["size_bytes"]) == (digest.hexdigest(), len(content.data))
    assert content.headers["Digest"] == f"sha-256={base64.b64encode(digest.digest()).decode()}"
    assert content.headers["ETag"] == f'"{digest.hexdigest()}"'


def test_name_and_version_of_the_form_win_over_the_file_name(admin: Api) -> None:
    package = admin.ok(admin.upload(GOOD, "a_1.0.0.zip", name="other", version="0.1.0"))
    assert (package["name"], package["version"]) == ("other", "0.1.0")


def test_a_hostile_zip_is_refused_and_leaves_nothing(admin: Api, state: State, subtests: pytest.Subtests) -> None:
    for what, (content, word) in HOSTILE.items():
        with subtests.test(what), state.unchanged():
            refused(admin.upload(content), 422, word)
    admin.ok(admin.upload(GOOD))


BAD_NAMES: list[tuple[str, dict[str, str], str]] = [
    ("demo_1.0.0.tar.gz", {}, ".zip"),
    ("demo.zip", {}, "name_1.2.3.zip"),
    ("demo_1.0.zip", {}, "name_1.2.3.zip"),
    ("demo.zip", {"name": "demo", "version": "one"}, "1.2.3"),
    ("demo.zip", {"name": "demo", "version": "1.0.0\n"}, "1.2.3"),
    ("demo.zip", {"name": "../demo", "version": "1.0.0"}, "letters"),
    ("demo.zip", {"name": "d\0", "version": "1.0.0"}, "letters"),
    ("demo.zip", {"name": "d" * 101, "version": "1.0.0"}, "100"),
]


def test_a_package_without_a_proper_name_and_version_is_refused(
    admin: Api, state: State, subtests: pytest.Subtests
) -> None:
    for file_name, form, word in BAD_NAMES:
        with subtests.test(f"{file_name} {form}"), state.unchanged():
            refused(admin.upload(GOOD, file_name, **form), 422, word)


def test_an_upload_without_a_file_says_which_field_is_missing(admin: Api) -> None:
    for options in (
        {},
        {"data": {"file": "text"}},
        {"json": {"file": "x"}},
        {"data": {"other": (io.BytesIO(GOOD), "a_1.0.0.zip")}},
    ):
        refused(admin.post("/api/packages/upload", **options), 422, "`file`")


def test_an_upload_beyond_the_limit_is_refused_before_it_is_read(admin: Api) -> None:
    announced = {"CONTENT_TYPE": "multipart/form-data; boundary=x", "CONTENT_LENGTH": str(300 * 1024**2)}
    refused(admin.post("/api/packages/upload", environ_overrides=announced), 413, "too large")


def test_a_name_has_each_version_once(admin: Api, state: State) -> None:
    admin.a_package("demo", "1.0.0")
    with state.unchanged():
        refused(admin.upload(zipped({"other.py": ""}), "demo_1.0.0.zip"), 409, "demo 1.0.0", "higher version")
    admin.a_package("demo", "1.0.1")


def test_only_whether_it_is_active_can_change(admin: Api, state: State) -> None:
    package = admin.a_package()
    path = f"/api/packages/{package['id']}"
    with state.unchanged():
        refused(admin.put(path, {"version": "2.0.0"}), 409, "Upload")
        refused(admin.put(path, {"sha256": "0" * 64}), 422, "sha256: Unknown field")
        refused(admin.put(path, {"is_active": None}), 422, "is_active")
    assert admin.ok(admin.put(path, {"name": package["name"], "is_active": False}))["is_active"] is False


def test_a_deleted_package_takes_its_file_along_unless_another_one_has_the_same(admin: Api, state: State) -> None:
    first, second = (admin.ok(admin.upload(GOOD, f"demo_{version}.zip")) for version in ("1.0.0", "2.0.0"))
    assert admin.delete(f"/api/packages/{first['id']}").status_code == 204
    assert state.files() == {f"packages/{second['sha256']}.zip"}
    assert admin.delete(f"/api/packages/{second['id']}").status_code == 204
    assert state.files() == set()


def test_a_package_in_use_stays(admin: Api, state: State) -> None:
    process = admin.a_process()
    with state.unchanged():
        refused(admin.delete(f"/api/packages/{process['package_id']}"), 409, "still used")


def test_a_package_that_is_deactivated_starts_no_job_until_it_is_active_again(admin: Api) -> None:
    process = admin.a_process()
    path = f"/api/packages/{process['package_id']}"
    assert admin.ok(admin.post(f"{path}/deactivate"))["is_active"] is False
    refused(admin.post("/api/jobs", {"process_id": process["id"]}), 409, "not active")
    assert admin.ok(admin.post(f"{path}/activate"))["is_active"] is True
    admin.a_job(process)
