"""Hostile zips are refused with a helpful sentence, ordinary ones pass, nothing lands beside the target."""

from __future__ import annotations

import io
import re
import tempfile
import tracemalloc
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bvo_packages.archive import ArchiveError, Limits, Manifest, extract, inspect
from packages.zip_bytes import (
    MAIN,
    MIB,
    Entry,
    crc_of_zeros,
    deflated,
    full_chunk_then,
    named,
    pack,
    patched,
    with_descriptor,
    with_member_comment,
    with_zip64_header,
    without_its_end,
    zeros,
    zipped,
)

SMALL = Limits(max_total_bytes=5000, max_files=4, max_compressed_bytes=20_000)


CENTRAL, END = b"PK\x01\x02", b"PK\x05\x06"
GOOD = pack(MAIN, deflated("data/table.csv", b"a;b\n" * 100), Entry("lib/", b""))
UNIX = 16  # the mode is in the upper half of the attributes

HOSTILE: dict[str, tuple[bytes, str]] = {
    # not an archive, or not a whole one
    "empty file": (b"", "not a zip archive"),
    "text": (b"print('hello')\n" * 100, "not a zip archive"),
    "gzip": (b"\x1f\x8b\x08" + b"\0" * 100, "not a zip archive"),
    "cut in the end record": (GOOD[:-3], "damaged|cut off"),
    "cut in the directory": (GOOD[:-60], "cut off"),
    "cut in the data": (GOOD[:40], "cut off"),
    "first bytes missing": (GOOD[7:], "data in front of it or a wrong directory"),
    "junk behind": (GOOD + b"junk", "data behind its end"),
    "much junk behind": (GOOD + b"junk" * 1000, "data behind its end"),
    "second archive behind": (GOOD + pack(Entry("evil.py")), "data in front of it"),
    "second end record in the comment": (pack(MAIN, comment=GOOD[-22:] + b"!"), "data behind its end"),
    "longer comment than announced": (pack(MAIN, comment=b"abc") + b"d", "data behind its end"),
    "huge comment": (pack(MAIN, comment=b"c" * 2000), "data behind its end"),
    "script in front": (b"#!/bin/sh\nexit\n" + GOOD, "data in front of it"),
    "script in front, offsets moved": (pack(replace(MAIN, in_front=b"#!/bin/sh")), "hidden data in front"),
    "hidden data between members": (
        pack(MAIN, Entry("b.txt", in_front=b"hidden")),
        "'b.txt' has hidden data",
    ),
    "hidden data before the directory": (pack(replace(MAIN, behind=b"hidden")), "hidden or missing data"),
    "end record only": (pack(), "holds no files"),
    "folders only": (pack(Entry("a/", b"")), "holds no files"),
    "no script": (pack(Entry("readme.md")), "holds no .py file"),
    "script only as Finder twin": (
        pack(Entry("__MACOSX/._main.py"), Entry("a/._b.py"), Entry("._c.py")),
        "holds no .py file",
    ),
    "count too low": (pack(MAIN, Entry("b.txt"), count=1), "wrong number of members"),
    "count too high": (pack(MAIN, count=2), "damaged"),
    "several disks": (pack(MAIN, disk=1), "one part of several"),
    "starts on another disk": (patched(GOOD, END, 6, 1), "one part of several"),
    "is the second disk": (patched(GOOD, END, 4, 1), "one part of several"),
    "more members elsewhere": (patched(GOOD, END, 10, 9), "one part of several"),
    "member on another disk": (patched(GOOD, CENTRAL, 34, 1), "damaged directory"),
    "no directory record": (patched(GOOD, CENTRAL, 3, 9), "damaged directory"),
    "no member header": (patched(GOOD, b"PK\x03\x04", 3, 9), "described differently"),
    "zip64 size": (GOOD[:-10] + b"\xff" * 4 + GOOD[-6:], "ZIP64"),
    "zip64 offset": (GOOD[:-6] + b"\xff" * 4 + GOOD[-2:], "ZIP64"),
    "zip64 locator in a comment": (with_member_comment(b"PK\x06\x07" + bytes(16)), "ZIP64"),
    "zip64 count": (pack(MAIN, count=0xFFFF), "ZIP64"),
    # too much
    "too many members": (pack(MAIN, *(Entry(f"{n}.txt") for n in range(4))), "more than 4 members"),
    "too large packed": (pack(MAIN, Entry("big.bin", b"b" * 30_000)), "more than 20000 bytes"),
    "too large unpacked": (pack(MAIN, deflated("big.bin", b"b" * 5000)), "unpacks to over 5000 bytes"),
    "declared 4 GiB": (named("big.bin", size=0xFFFFFFFE, method=8), "times its size|unpacks to over"),
    # bombs and lies about sizes
    "more data than declared": (
        pack(replace(deflated("main.py", b"a" * 4000), size=10)),
        "'main.py' is damaged",
    ),
    "more than declared, checksum of the part": (
        pack(replace(deflated("main.py", b"a" * 4000), size=10, crc=zlib.crc32(b"a" * 10))),
        "'main.py' is damaged",
    ),
    "less data than declared": (
        pack(replace(deflated("main.py", b"a" * 40), size=50)),
        "'main.py' is damaged",
    ),
    "stored with two sizes": (pack(replace(MAIN, size=3)), "'main.py' is damaged"),
    "wrong checksum": (pack(replace(MAIN, crc=1)), "'main.py' is damaged"),
    "no deflate stream": (pack(replace(MAIN, method=8)), "damaged"),
    "deflate stream cut": (pack(Entry("main.py", b"ab" * 50, zlib.compress(b"ab" * 50)[2:-6], 8)), "damaged"),
    "deflate stream without its end": (without_its_end(b"a" * 40), "does not end where"),
    "junk behind the deflate stream": (
        pack(deflated("main.py", b"a" * 40, junk=b"junk")),
        "does not end where",
    ),
    "much junk behind the stream": (
        pack(deflated("main.py", b"a", junk=b"j" * 15_000)),
        "does not end where",
    ),
    "packed size too large": (pack(replace(MAIN, packed_size=4000, size=4000)), "damaged|missing data"),
    "member outside the file": (named("b.txt", offset=10_000), "'b.txt' lies outside"),
    "member inside the directory": (pack(replace(MAIN, offset=41)), "'main.py' lies outside"),
    "two members, one place": (
        pack(MAIN, replace(MAIN, name="b.py", local_name=b"main.py", offset=0)),
        "described diff",
    ),
    "overlapping (quoted) members": (
        pack(Entry("a.py", Entry("b.py").local()), replace(Entry("b.py"), offset=34), count=2),
        "'b.py' overlaps another member",
    ),
    "other name in the header": (named("b.txt", local_name=b"c.txt"), "'b.txt' is described differently"),  # type: ignore[arg-type]
    "other size in the header": (named("b.txt", local_size=5), "'b.txt' is described differently"),
    # kinds and methods
    "symbolic link": (named("link", attributes=0o120777 << UNIX), "'link' is a symbolic link"),
    "device": (named("tty", attributes=0o020666 << UNIX), "not a regular file"),
    "block device": (named("disk", attributes=0o060666 << UNIX), "not a regular file"),
    "pipe": (named("pipe", attributes=0o010666 << UNIX), "not a regular file"),
    "socket": (named("sock", attributes=0o140666 << UNIX), "not a regular file"),
    "folder as file": (named("dir", attributes=0o040755 << UNIX), "not a regular file"),
    "file as folder": (
        pack(MAIN, Entry("d/", b"", attributes=0o100644 << UNIX)),
        "not a regular file or folder",
    ),
    "folder with data": (named("d/"), "folder with data"),
    "folder with a checksum": (pack(MAIN, Entry("d/", b"", crc=1)), "'d/' is damaged"),
    "folder with a broken stream": (pack(MAIN, Entry("d/", b"", method=8)), "does not end where"),
    "Windows link": (named("link", attributes=0x400), "not a regular file"),
    "DOS device": (named("dev", attributes=0x40), "not a regular file"),
    "volume label": (named("LABEL", attributes=0x8), "not a regular file"),
    "encrypted": (named("b.txt", flags=1), "'b.txt' is encrypted"),
    "names encrypted": (named("b.txt", flags=0x2000), "'b.txt' is encrypted"),
    "strongly encrypted": (named("b.txt", flags=0x40), "'b.txt' is encrypted"),
    "bzip2": (
        zipped({"main.py": b"x"}, compression=zipfile.ZIP_BZIP2),
        "'main.py' is neither stored nor deflated",
    ),
    "lzma": (zipped({"main.py": b"x"}, compression=zipfile.ZIP_LZMA), "neither stored nor deflated"),
    "zstandard": (named("b.txt", method=93), "neither stored nor deflated"),
    # names that leave the folder, or that some system cannot store
    "empty name": (named(""), "empty name"),
    "root": (named("/"), "empty name"),
    "parent": (named("../evil.py"), r"\.\. segment"),
    "parent inside": (named("a/../../evil.py"), r"\.\. segment"),
    "parent only": (named(".."), r"\.\. segment"),
    "dot": (named("./a.py"), r"\. or \.\. segment"),
    "absolute": (named("/etc/passwd"), "'/etc/passwd' is an absolute path"),
    "drive": (named("C:/evil.py"), "absolute path"),
    "drive relative": (named("c:evil.py"), "absolute path"),
    "backslash": (named("a\\..\\evil.py"), "backslash"),
    "network path": (named("\\\\server\\share\\x"), "backslash"),
    "double slash": (named("a//b.txt"), "empty path segment"),
    "NUL": (named("evil.py\0.txt"), "control or invisible"),
    "newline": (named("a\nb.txt"), "control or invisible"),
    "escape": (named("\x1b[2Jb.txt"), "control or invisible"),
    "text direction": (named("a\u202etxt.py"), "control or invisible"),
    "line mark": (named("a\u2028.py"), "control or invisible"),
    "paragraph mark": (named("a\u2029.py"), "control or invisible"),
    "zero width": (named("a\u200bb.py"), "control or invisible"),
    "not UTF-8 though flagged": (named(b"\xff\xfe.py", flags=0x800), "not valid UTF-8"),
    "device name": (named("CON"), "Windows device"),
    "device with suffix": (named("lib/nul.txt"), "Windows device"),
    "device with spaces": (named("aux .txt"), "Windows device"),
    "device port": (named("Com1.log"), "Windows device"),
    "device port, superscript": (named("LPT\u00b2"), "Windows device"),
    "device folder": (named("prn/a.txt"), "Windows device"),
    "trailing dot": (named("a./b.txt"), "ends with a dot or a space"),
    "trailing space": (named("b.txt "), "ends with a dot or a space"),
    "stream": (named("b.txt:hidden"), "contains one of"),
    "wildcard": (named("b*.txt"), "contains one of"),
    "long": (named("a" * 241), "longer than 240 characters"),
    "very long": (named("a" * 65_000), "more than 20000 bytes|longer than"),
    "long in bytes": (named("\U0001f40d" * 70), "more than 255 bytes"),
    "deep": (named("a/" * 20 + "b"), "more than 20 folders deep"),
    # two names for one place
    "duplicate": (pack(MAIN, MAIN), "'main.py' is in the archive twice"),
    "duplicate folder": (pack(MAIN, Entry("a/", b""), Entry("a/", b"")), "twice"),
    "case": (named("MAIN.py"), "'MAIN.py' and 'main.py' differ only in case"),
    "case of a folder": (pack(MAIN, Entry("a/b.txt"), Entry("A/c.txt")), "differ only in case"),
    "sharp s": (pack(MAIN, Entry("straße"), Entry("STRASSE")), "differ only in case"),
    "Unicode form": (pack(MAIN, Entry("\u00e9.txt"), Entry("e\u0301.txt")), "Unicode form"),
    "compatibility form": (pack(MAIN, Entry("\ufb01x"), Entry("fix")), "Unicode form"),
    "file, then folder": (pack(MAIN, Entry("a"), Entry("a/b.txt")), "'a' is a file and a folder"),
    "folder, then file": (pack(MAIN, Entry("a/b.txt"), Entry("a")), "'a' is a file and a folder"),
    "file and folder entry": (pack(MAIN, Entry("a"), Entry("a/", b"")), "twice|a file and a folder"),
}

HARMLESS: dict[str, tuple[bytes, Manifest]] = {
    "mixed": (GOOD, Manifest(("main.py",), 2, 406)),
    "by zipfile, deflated": (
        zipped({"b.py": b"1", "a/c.PY": b"2", "d.txt": b""}, compression=zipfile.ZIP_DEFLATED),
        Manifest(("b.py", "a/c.PY"), 3, 2),
    ),
    "commit id as comment": (pack(MAIN, comment=b"9" * 40), Manifest(("main.py",), 1, 6)),
    "archive in the archive": (
        pack(MAIN, Entry("inner.zip", GOOD)),
        Manifest(("main.py",), 2, 6 + len(GOOD)),
    ),
    "comment of a member": (with_member_comment(b"a note"), Manifest(("main.py",), 1, 6)),
    "64-bit sizes in the header": (with_zip64_header(), Manifest(("main.py",), 1, 6)),
    "streamed, 0": (with_descriptor(0), Manifest(("main.py",), 2, 456)),
    "streamed, 20": (with_descriptor(20), Manifest(("main.py",), 2, 456)),
    "streamed, 12": (with_descriptor(12), Manifest(("main.py",), 2, 456)),
    "streamed, 16": (with_descriptor(16), Manifest(("main.py",), 2, 456)),
    "streamed, 24": (with_descriptor(24), Manifest(("main.py",), 2, 456)),
    "UTF-8 without its flag": (pack(Entry("größe.py")), Manifest(("größe.py",), 1, 6)),
    "code page 437": (pack(Entry(b"gr\x94sse.py")), Manifest(("grösse.py",), 1, 6)),
    "executable": (pack(replace(MAIN, attributes=0o100755 << UNIX)), Manifest(("main.py",), 1, 6)),
    "dense but small": (pack(deflated("main.py", b"#" * 4000)), Manifest(("main.py",), 1, 4000)),
    "empty script": (pack(deflated("main.py", b"")), Manifest(("main.py",), 1, 0)),
    "like a device": (pack(Entry("console.py"), Entry("com10.txt")), Manifest(("console.py",), 2, 12)),
    "dots inside": (pack(Entry("a..b.py"), Entry(".env")), Manifest(("a..b.py",), 2, 12)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_with_a_sentence_that_helps(case: str) -> None:
    data, message = HOSTILE[case]
    with pytest.raises(ArchiveError, match=message) as refused:
        inspect(io.BytesIO(data), SMALL)
    assert re.fullmatch(r"[^\n\0]{10,300}: [a-z][^\n]+\.", str(refused.value))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_leaves_nothing_on_disk(case: str, tmp_path: Path) -> None:
    source = tmp_path / "package.zip"
    source.write_bytes(HOSTILE[case][0])
    with pytest.raises(ArchiveError):
        extract(source, tmp_path / "in" / "target", SMALL)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["package.zip"]
    assert not (tmp_path / "in" / "target").exists()


@pytest.mark.parametrize("case", HARMLESS)
def test_an_ordinary_archive_is_accepted_and_unpacks_as_zipfile_would(case: str, tmp_path: Path) -> None:
    data, manifest = HARMLESS[case]
    source = tmp_path / "package.zip"
    source.write_bytes(data)
    assert inspect(source, SMALL) == inspect(io.BytesIO(data), SMALL) == manifest
    assert extract(source, tmp_path / "target", SMALL) == manifest
    with zipfile.ZipFile(source) as archive:
        expected = [archive.read(info) for info in archive.infolist() if not info.is_dir()]
    found = [path for path in (tmp_path / "target").rglob("*") if path.is_file()]
    assert sorted(path.read_bytes() for path in found) == sorted(expected)
    assert not any(path.stat().st_mode & 0o111 for path in found)


def test_an_accepted_upload_stands_at_its_start() -> None:
    upload = io.BytesIO(GOOD)
    inspect(upload)
    assert upload.read() == GOOD


def test_folders_of_the_archive_exist_after_extraction(tmp_path: Path) -> None:
    (tmp_path / "package.zip").write_bytes(GOOD)
    extract(tmp_path / "package.zip", tmp_path / "target")
    assert (tmp_path / "target" / "lib").is_dir()


def test_a_target_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "package.zip").write_bytes(GOOD)
    target = tmp_path / "target"
    target.mkdir()
    (target / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(FileExistsError, match="not empty"):
        extract(tmp_path / "package.zip", target)
    assert [path.name for path in target.iterdir()] == ["mine.txt"]


def test_a_late_failure_removes_what_was_already_written(tmp_path: Path) -> None:
    (tmp_path / "package.zip").write_bytes(pack(MAIN, Entry("b.txt"), Entry("z/last.txt", crc=1)))
    with pytest.raises(ArchiveError, match=r"'z/last\.txt' is damaged"):
        extract(tmp_path / "package.zip", tmp_path / "target")
    assert not (tmp_path / "target").exists()


BOMB = Entry("main.py", b"", zeros(500), 8, size=500 * MIB, crc=crc_of_zeros(500))


def refused_within(data: bytes, limits: Limits, message: str) -> int:
    """The peak of the memory in bytes while the archive was refused."""
    source = io.BytesIO(data)
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match=message):
            inspect(source, limits)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_is_refused_by_its_declared_size() -> None:
    assert refused_within(pack(BOMB), Limits(), "'main.py' unpacks to over 100 times") < MIB
    assert refused_within(pack(BOMB), Limits(max_total_bytes=MIB, max_ratio=9999), "over 1048576 bytes") < MIB


def test_a_bomb_of_many_small_members_is_refused_by_the_ratio_of_the_archive() -> None:
    members = [deflated(f"{number}.py", bytes(900_000)) for number in range(9)]
    assert refused_within(pack(*members), Limits(), "The archive unpacks to over 100 times") < MIB


def test_500_mb_are_read_in_flat_memory() -> None:
    tampered = replace(BOMB, crc=1)
    assert refused_within(pack(tampered), Limits(max_ratio=9999), "'main.py' is damaged") < MIB


def test_a_bomb_that_declares_little_is_left_at_once() -> None:
    source = io.BytesIO(pack(replace(BOMB, size=MIB)))
    with pytest.raises(ArchiveError, match=r"'main\.py' is damaged"):
        inspect(source)
    assert source.tell() < MIB / 4


def test_junk_behind_a_stream_is_neither_accepted_nor_kept_in_memory() -> None:
    inspect(io.BytesIO(full_chunk_then(b"")))
    assert refused_within(full_chunk_then(bytes(8 * MIB)), Limits(), "does not end where") < MIB
    endless = pack(deflated("main.py", b"x", junk=bytes(8 * MIB)))
    assert refused_within(endless, Limits(), "does not end where") < MIB


def test_a_directory_of_long_names_is_left_at_the_first() -> None:
    entries = [Entry("a" * 60_000 + str(number)) for number in range(100)]
    assert refused_within(pack(*entries), Limits(), "longer than") < MIB


def outcome(data: bytes) -> list[str] | None:
    """The names that landed on disk, or None where the archive was refused; nothing may land outside."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "package.zip"), Path(folder, "in", "target")
        source.write_bytes(data)
        try:
            manifest: Manifest | None = inspect(source, SMALL)
        except ArchiveError:
            manifest = None
        try:
            assert extract(source, target, SMALL) == manifest
        except ArchiveError:
            assert manifest is None
            assert not target.exists()
        found = [path for path in Path(folder).rglob("*") if path.is_file() and path != source]
        assert all(path.is_relative_to(target) for path in found)
        assert manifest is None or len(found) == manifest.files
        return None if manifest is None else [path.relative_to(target).as_posix() for path in found]


edits = st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6)
cuts = st.tuples(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))


@settings(max_examples=400, deadline=None)
@given(edits=edits)
def test_changed_bytes_never_give_another_exception(edits: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for position, value in edits:
        data[position] = value
    outcome(bytes(data))


@settings(max_examples=150, deadline=None)
@given(cut=cuts, insert=st.binary(max_size=30))
def test_cut_and_filled_archives_never_give_another_exception(cut: tuple[int, int], insert: bytes) -> None:
    outcome(GOOD[: min(cut)] + insert + GOOD[max(cut) :])


@settings(max_examples=300, deadline=None)
@given(name=st.one_of(st.text(max_size=30), st.text("./\\:aCON ", max_size=12), st.binary(max_size=20)))
def test_whatever_a_member_is_called_it_stays_inside(name: str | bytes) -> None:
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")
    found = outcome(pack(MAIN, Entry(raw)))
    assert found is None or len(found) in (1, 2)
