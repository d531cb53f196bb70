"""Zip safety for packages: the server inspects an upload, the robot extracts what it is about to run.

The records are read here and not with `zipfile`, which reads no further than the declared size, skips data
between members and in front of them, and builds its list of members before anything can be limited.
Members may be stored or deflated, as every tool does by default; ZIP64 nothing within the limits needs.
"""

from __future__ import annotations

import io
import shutil
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .archive_names import ArchiveError, Tree, check_name, decode, is_script, shown

__all__ = ["DEFAULT_LIMITS", "ArchiveError", "Limits", "Manifest", "extract", "inspect"]

_MIB = 1024 * 1024
_CHUNK = 64 * 1024
_MAX_COMMENT = 1024  # git archive and GitHub write a commit id here
_CENTRAL = struct.Struct("<4s4x2H4x3L4H2x2L")
_LOCAL = struct.Struct("<4s2x2H4x3L2H")
_END = struct.Struct("<4x4HLLH")
_IN_EXTRA = 0xFFFFFFFF  # a ZIP64 size: the real one is in the extra field
_CUT = "The archive is cut off or has data behind its end: pack it again."
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_DESCRIPTOR = 0x8
_DESCRIPTOR_SIZES = {0, 12, 16, 20, 24}  # with and without its signature, with and without 64-bit sizes
_DOS_SPECIAL = 0x8 | 0x40 | 0x400  # volume label, device, reparse point (a Windows link)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Sizes in bytes; a ratio is unpacked to packed, from 1 MiB unpacked, per member and in all."""

    max_compressed_bytes: int = 200 * _MIB
    max_total_bytes: int = 1024 * _MIB
    max_files: int = 10_000
    max_ratio: int = 100
    max_path_length: int = 240
    max_depth: int = 20


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Manifest:
    """What an accepted archive holds: the .py paths in archive order, the number of files, their bytes."""

    scripts: tuple[str, ...]
    files: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    attributes: int
    offset: int

    @property
    def folder(self) -> bool:
        return self.name.endswith("/")

    def error(self, problem: str) -> ArchiveError:
        return ArchiveError(f"{shown(self.name)} {problem}.")


def inspect(source: Path | BinaryIO, limits: Limits = DEFAULT_LIMITS) -> Manifest:
    """Read every byte of the archive in flat memory, and write nothing.

    A file object must be seekable; once accepted it stands at its start again. Raises `ArchiveError`.
    """
    with _opened(source) as file:
        manifest, members = _plan(file, limits)
        for member, start in members:
            for _ in _content(file, member, start):
                pass
    return manifest


def extract(source: Path, target: Path, limits: Limits = DEFAULT_LIMITS) -> Manifest:
    """Write files and folders below target, which must be empty or missing; modes and times are not kept.

    Raises `ArchiveError` and `OSError`; then target is removed, unless it was not empty (`FileExistsError`).
    """
    with _opened(source) as file:
        manifest, members = _plan(file, limits)
        target.mkdir(parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise FileExistsError(f"{target} is not empty: extract into an empty folder.")
        try:
            for member, start in members:
                _write(target, member, _content(file, member, start))
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
    return manifest


def _write(target: Path, member: _Member, content: Iterator[bytes]) -> None:
    path = target.joinpath(*member.name.removesuffix("/").split("/"))
    (path if member.folder else path.parent).mkdir(parents=True, exist_ok=True)
    # "x": file systems fold names in more ways than are checked. A folder is read too, as inspect does.
    with nullcontext(io.BytesIO()) if member.folder else path.open("xb") as file:
        file.writelines(content)


def _manifest(members: list[_Member]) -> Manifest:
    files = [member for member in members if not member.folder]
    scripts = tuple(member.name for member in files if is_script(member.name))
    return Manifest(scripts, len(files), sum(member.size for member in files))


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    try:
        with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
            yield file
            file.seek(0)
    except (struct.error, zlib.error, EOFError, OverflowError, UnicodeError) as error:
        raise ArchiveError(f"The archive is damaged ({error}): pack it again.") from error


def _plan(file: BinaryIO, limits: Limits) -> tuple[Manifest, list[tuple[_Member, int]]]:
    """Refuse all that can be refused without unpacking; the members come with where their data starts."""
    end = file.seek(0, 2)
    if end > limits.max_compressed_bytes:
        raise ArchiveError(f"The archive has more than {limits.max_compressed_bytes} bytes: remove files.")
    directory, directory_end, count = _end_record(file, end)
    if count > limits.max_files:
        raise ArchiveError(f"The archive has more than {limits.max_files} members: remove some.")
    members = list(_checked(_directory(file, directory, directory_end, count), limits))
    manifest = _manifest(members)
    _check_totals(manifest, end, limits)
    starts = {member.offset: _local_header(file, member, directory) for member in members}
    _check_layout(members, starts, directory)
    return manifest, [(member, starts[member.offset]) for member in members]


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise EOFError("it ends too early")
    return data


def _end_record(file: BinaryIO, end: int) -> tuple[int, int, int]:
    """Where the central directory starts and ends, and how many members it lists."""
    tail_start = max(0, end - _END.size - _MAX_COMMENT)
    tail = _read(file, tail_start, end - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        zipped = _read(file, 0, min(2, end)) == b"PK"
        raise ArchiveError(_CUT if zipped else "The file is not a zip archive: pack it again as .zip.")
    disk, first_disk, here, total, size, offset, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise ArchiveError(_CUT)
    if total == 0xFFFF or _IN_EXTRA in (size, offset) or tail[:at][-20:].startswith(b"PK\x06\x07"):
        raise ArchiveError("The archive uses ZIP64, which is not supported: pack it again without it.")
    if disk or first_disk or here != total:
        raise ArchiveError("The archive is one part of several: pack it again as one file.")
    if offset + size != tail_start + at:
        raise ArchiveError("The archive has data in front of it or a wrong directory: pack it again.")
    return offset, offset + size, total


def _directory(file: BinaryIO, position: int, end: int, count: int) -> Iterator[_Member]:
    for _ in range(count):
        fields = _CENTRAL.unpack(_read(file, position, _CENTRAL.size))
        signature, flags, method, crc, packed, size, name, extra, comment, disk, attributes, offset = fields
        if signature != b"PK\x01\x02" or disk:
            raise ArchiveError("The archive has a damaged directory: pack it again.")
        raw = _read(file, position + _CENTRAL.size, name)
        yield _Member(decode(raw, flags), raw, flags, method, crc, packed, size, attributes, offset)
        position += _CENTRAL.size + name + extra + comment
    if position != end:
        raise ArchiveError("The archive lists a wrong number of members: pack it again.")


def _checked(members: Iterator[_Member], limits: Limits) -> Iterator[_Member]:
    tree = Tree()
    for member in members:
        check_name(member.name, limits.max_path_length, limits.max_depth)
        tree.add(member.name)
        _check_kind(member)
        _check_method(member)
        _check_ratio(shown(member.name), member.size, member.packed, limits)
        yield member


def _check_kind(member: _Member) -> None:
    """Mode bits sit in the upper half of the attributes whatever system wrote them; 0 means not given."""
    kind = stat.S_IFMT(member.attributes >> 16)
    if stat.S_ISLNK(kind):
        raise member.error("is a symbolic link: replace it with the file it points to and pack again")
    if kind not in (0, stat.S_IFDIR if member.folder else stat.S_IFREG) or member.attributes & _DOS_SPECIAL:
        raise member.error("is not a regular file or folder: leave it out and pack again")
    if member.folder and member.size:
        raise member.error("is a folder with data: pack again")


def _check_method(member: _Member) -> None:
    if member.flags & _ENCRYPTED:
        raise member.error("is encrypted: pack again without a password")
    if member.method not in (_STORED, _DEFLATED):
        raise member.error("is neither stored nor deflated: pack again with the default compression")


def _check_ratio(what: str, size: int, packed: int, limits: Limits) -> None:
    if size > _MIB and size > packed * limits.max_ratio:  # a small dense file is ordinary: a blank image
        raise ArchiveError(f"{what} unpacks to over {limits.max_ratio} times its size: leave it out.")


def _check_totals(manifest: Manifest, archive_bytes: int, limits: Limits) -> None:
    if manifest.total_bytes > limits.max_total_bytes:
        raise ArchiveError(f"The archive unpacks to over {limits.max_total_bytes} bytes: remove files.")
    _check_ratio("The archive", manifest.total_bytes, archive_bytes, limits)
    if not manifest.scripts:
        missing = ".py file" if manifest.files else "files"
        raise ArchiveError(f"The archive holds no {missing}: add the script to run and pack again.")


def _local_header(file: BinaryIO, member: _Member, directory: int) -> int:
    """Where the data of the member starts, once its own header says the same as the directory."""
    if member.offset + _LOCAL.size > directory:
        raise member.error("lies outside the archive: pack again")
    fields = _LOCAL.unpack(_read(file, member.offset, _LOCAL.size))
    signature, flags, method, crc, packed, size, name, extra = fields
    raw_name = _read(file, member.offset + _LOCAL.size, name)
    same = (raw_name, method, flags & _ENCRYPTED) == (member.raw_name, member.method, 0)
    if not flags & _DESCRIPTOR and size != _IN_EXTRA:
        same = same and (crc, packed, size) == (member.crc, member.packed, member.size)
    if signature != b"PK\x03\x04" or not same:
        raise member.error("is described differently in its header and in the directory: pack again")
    return member.offset + _LOCAL.size + len(raw_name) + int(extra)


def _check_layout(members: list[_Member], starts: dict[int, int], directory: int) -> None:
    """Members must fill the file without overlap or gap, so that no byte is used twice or hidden."""
    position, allowed = 0, {0}
    for member in sorted(members, key=lambda member: member.offset):
        if member.offset < position:
            raise member.error("overlaps another member: pack again")
        if member.offset - position not in allowed:
            raise member.error("has hidden data in front of it: pack again as a plain zip")
        position = starts[member.offset] + member.packed
        allowed = _DESCRIPTOR_SIZES if member.flags & _DESCRIPTOR else {0}
    if directory - position not in allowed:
        raise ArchiveError("The archive has hidden or missing data in front of its directory: pack it again.")


def _content(file: BinaryIO, member: _Member, start: int) -> Iterator[bytes]:
    """The unpacked data in chunks; raises before a byte beyond the declared size is handed out."""
    packed = _packed(file, start, member.packed)
    size = crc = 0
    for chunk in _inflated(packed) if member.method == _DEFLATED else packed:
        size += len(chunk)
        crc = zlib.crc32(chunk, crc)
        if size > member.size:
            break
        yield chunk
    if size != member.size or crc != member.crc:
        raise member.error("is damaged, its content differs from its declared size or checksum: pack again")


def _packed(file: BinaryIO, start: int, size: int) -> Iterator[bytes]:
    for offset in range(start, start + size, _CHUNK):
        yield _read(file, offset, min(_CHUNK, start + size - offset))


def _inflated(packed: Iterator[bytes]) -> Iterator[bytes]:
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)
    for data in packed:
        while data:
            yield decoder.decompress(data, _CHUNK)
            data = decoder.unconsumed_tail
        if decoder.eof:
            break
    while rest := decoder.decompress(b"", _CHUNK):
        yield rest
    if not decoder.eof or decoder.unused_data or next(packed, b""):
        raise zlib.error("a deflated member does not end where it should")
