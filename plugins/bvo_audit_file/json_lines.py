"""A file of JSON lines that several processes may write to, and that is put aside when it is large."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from glob import escape
from io import FileIO
from pathlib import Path

from bvo import event_json
from bvo_hookspecs import Event

LOCK_SECONDS = 2.0
"""Another process holds the lock for as long as one line takes, unless it was stopped in the middle."""
LOOK_SECONDS = 0.001


class JsonLines:
    """What `write` has returned for is on the disk. `keep` files are kept beside the current one; 0: all of them."""

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        self._path, self._max_bytes, self._keep = path, max_bytes, keep

    def write(self, events: Sequence[Event]) -> None:
        """Add a line for each. Raises OSError, e.g. where the disk is full, and leaves no part of a line then."""
        lines = [event_json.line(event_json.told(event)).encode() + b"\n" for event in events]
        with _locked(self._path.with_name(f"{self._path.name}.lock")):
            while lines:
                if count := self._fitting(lines):
                    block = b"".join(lines[:count])
                    if not self._append(block):
                        self._append(block)
                    del lines[:count]
                else:
                    self._put_aside()

    def _fitting(self, lines: Sequence[bytes]) -> int:
        """How many of them the file takes before it is large; an empty one takes any line."""
        if not self._max_bytes:
            return len(lines)
        size = self._path.stat().st_size if self._path.exists() else 0
        for count, line in enumerate(lines):
            if size and size + len(line) > self._max_bytes:
                return count
            size += len(line)
        return len(lines)

    def _put_aside(self) -> None:
        """Name it after now, and behind all others also where the clock was set back: those by name are the oldest."""
        others = sorted(self._path.parent.glob(f"{escape(self._path.name)}.{'[0-9]' * 14}"))
        following = int(others[-1].suffix[1:]) + 1 if others else 0
        stamp = max(int(datetime.now(UTC).strftime("%Y%m%d%H%M%S")), following)
        newest = self._path.rename(self._path.with_name(f"{self._path.name}.{stamp}"))
        for old in [*others, newest][: -self._keep] if self._keep else []:
            old.unlink()

    def _append(self, block: bytes) -> bool:
        """False where somebody has moved the file away meanwhile: its new place may not be read any more."""
        with open(self._path, "ab+", buffering=0, opener=_private) as file:
            begin = file.seek(0, os.SEEK_END)
            try:
                _write_all(file, block if _ends_with_a_line(file, begin) else b"\n" + block)
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(begin)
                raise
            if begin == 0:
                _sync_folder(self._path.parent)
            return self._path.exists() and os.path.samestat(os.fstat(file.fileno()), self._path.stat())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _ends_with_a_line(file: FileIO, size: int) -> bool:
    """Else a writer was killed, or the power went: its half line stands alone, and its event comes again."""
    if size == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _write_all(file: FileIO, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]


def _sync_folder(folder: Path) -> None:
    """Bring a new file's name to the disk, too. Windows does it by itself, and opens no folders."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process. Raises TimeoutError where another one does not let go of it."""
    until = time.monotonic() + LOCK_SECONDS
    with open(path, "ab", buffering=0, opener=_private) as file:
        while not _lock(file):
            if time.monotonic() >= until:
                raise TimeoutError(f"another process holds {path}")
            time.sleep(LOOK_SECONDS)
        yield


def _lock(file: FileIO) -> bool:
    """Take the file's lock; False where it is taken."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the latter: Windows
        return False
    return True
