"""Zip archives written byte by byte, as `zipfile` would not write them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

MIB = 1024 * 1024


@dataclass(frozen=True)
class Entry:
    """One member, written as it is told: a value left out is the honest one."""

    name: str | bytes
    data: bytes = b"x = 1\n"
    packed: bytes | None = None
    method: int = 0
    flags: int = 0
    attributes: int = 0
    crc: int | None = None
    size: int | None = None
    packed_size: int | None = None
    local_name: bytes | None = None
    local_size: int | None = None
    offset: int | None = None
    in_front: bytes = b""
    behind: bytes = b""

    def raw(self) -> bytes:
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    def fields(self, size: int | None) -> tuple[int, ...]:
        packed = self.data if self.packed is None else self.packed
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        packed_size = len(packed) if self.packed_size is None else self.packed_size
        return (
            20,
            self.flags,
            self.method,
            0,
            33,
            crc,
            packed_size,
            len(self.data) if size is None else size,
        )

    def local(self) -> bytes:
        name = self.raw() if self.local_name is None else self.local_name
        fields = self.fields(self.local_size if self.local_size is not None else self.size)
        header = struct.pack("<4s5H3L2H", b"PK\x03\x04", *fields, len(name), 0)
        return header + name + (self.data if self.packed is None else self.packed) + self.behind

    def central(self, offset: int) -> bytes:
        at = offset if self.offset is None else self.offset
        rest = (len(self.raw()), 0, 0, 0, 0, self.attributes, at)
        return struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, *self.fields(self.size), *rest) + self.raw()


MAIN = Entry("main.py")


def pack(*entries: Entry, count: int | None = None, disk: int = 0, moved: int = 0, comment: bytes = b"") -> bytes:
    body, central = b"", b""
    for entry in entries:
        body += entry.in_front
        central += entry.central(len(body))
        body += entry.local()
    listed = len(entries) if count is None else count
    end = (disk, disk, listed, listed, len(central), len(body) + moved, len(comment))
    return body + central + struct.pack("<4s4H2LH", b"PK\x05\x06", *end) + comment


def deflated(name: str, data: bytes, junk: bytes = b"", flags: int = 0, behind: bytes = b"") -> Entry:
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(data) + packer.flush() + junk
    return Entry(name, data, packed, 8, flags=flags, behind=behind)


def named(name: str | bytes, **changes: int) -> bytes:
    return pack(MAIN, replace(Entry(name), **changes))  # type: ignore[arg-type]


def zipped(files: Mapping[Any, bytes], **options: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **options) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def with_descriptor(size_of_descriptor: int) -> bytes:
    data = b"print(1)\n" * 50
    main = deflated("main.py", data, flags=8, behind=b"\0" * size_of_descriptor)
    return pack(replace(main, local_size=0), Entry("b.txt"))


def patched(data: bytes, signature: bytes, offset: int, value: int) -> bytes:
    """Another byte in the last record with this signature."""
    at = data.rindex(signature) + offset
    return data[:at] + bytes([value]) + data[at + 1 :]


def with_member_comment(comment: bytes) -> bytes:
    info = zipfile.ZipInfo("main.py")
    info.comment = comment
    return zipped({info: b"x = 1\n"})


def with_zip64_header() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("main.py", "w", force_zip64=True) as member:
        member.write(b"x = 1\n")
    return out.getvalue()


def full_chunk_then(junk: bytes) -> bytes:
    """A deflate stream of exactly 64 KiB, the size of the reader's chunks, and something behind it."""
    data = bytes(range(251)) * 261 + b"#" * 20
    packed = b"\x01" + struct.pack("<HH", len(data), 0xFFFF - len(data)) + data
    return pack(Entry("main.py", data, packed + junk, 8))


def without_its_end(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return pack(Entry("main.py", data, packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH), 8))


def zeros(mebibytes: int) -> bytes:
    """A deflate stream of many equal blocks: quick to make, as only the first is compressed."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * mebibytes + b"\x03\x00"


def crc_of_zeros(mebibytes: int) -> int:
    crc, block = 0, bytes(MIB)
    for _ in range(mebibytes):
        crc = zlib.crc32(block, crc)
    return crc
