"""What a script printed: on the robot's disk before the server has it, and sent in numbered pieces."""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bvo_agent.client import Client
from bvo_agent.files import read_json, write_private_json
from bvo_agent.protocol import Job

PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class _Note:
    """Whose log it is; and the number of the piece that was cut last, and where in the text it begins and ends."""

    url: str
    job_id: int
    headers: dict[str, str] = field(repr=False)
    sequence: int = 0
    start: int = 0
    end: int = 0


class Journal:
    """Two files: `<job>.log` has the text, `<job>.json` the note.

    The text is written as it comes, so it outlives a runner that is killed. Before a piece is sent, first its text and
    then its bounds are on the disk: whoever goes on sends the same under the same number, which the server keeps once.
    What was left is cut without being noted: nothing is added to it, so that it is cut in the same way each time.
    """

    def __init__(self, path: Path, note: _Note, *, grows: bool) -> None:
        self._path, self._note, self._grows = path, note, grows
        self._text = path.with_suffix(".log")
        self._size = self._text.stat().st_size
        self._under_way = note.end > note.start

    @classmethod
    def begin(cls, folder: Path, job: Job, url: str) -> Journal:
        """An empty one for this attempt. Raises OSError."""
        path, note = folder / f"{job.id}.json", _Note(url=url, job_id=job.id, headers=job.lease_headers)
        remove(path)
        path.with_suffix(".log").touch(mode=0o600)
        write_private_json(path, asdict(note))
        return cls(path, note, grows=True)

    @classmethod
    def left(cls, path: Path) -> Journal | None:
        """The one whose note lies there; None where there is none, or one of its files is damaged."""
        try:
            return cls(path, _Note(**read_json(path)), grows=False)
        except (TypeError, FileNotFoundError):
            return None

    @property
    def url(self) -> str:
        return self._note.url

    @property
    def job_id(self) -> int:
        return self._note.job_id

    @property
    def headers(self) -> dict[str, str]:
        """Those that fence what is sent for the attempt."""
        return self._note.headers

    @property
    def waiting(self) -> bool:
        """Whether there is text that was not sent yet."""
        return self._under_way or self._size > self._note.end

    def append(self, data: bytes) -> None:
        """Writes whole characters of UTF-8 down. Raises OSError, and has none of them then."""
        try:
            with self._text.open("ab") as file:
                file.write(data)
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(self._text, self._size)
            raise
        self._size += len(data)

    def send(self, client: Client, progress: dict[str, Any] | None = None) -> bool:
        """Sends one piece: the last one if it may not have arrived, else the next. False when there is nothing to send.

        Raises Unavailable, Refused, and OSError where the disk is full.
        """
        if not self._under_way and (self.waiting or progress is not None):
            self._cut()
        if not self._under_way:
            return False
        text = self._read(self._note.start, self._note.end).decode(errors="ignore")
        body = {"sequence": self._note.sequence, "text": text, "progress": progress}
        client.post(f"/api/runner/jobs/{self.job_id}/log", body, self.headers)
        self._under_way = False
        return True

    def settle(self) -> None:
        """Notes that the last piece has arrived, so that it is not sent again. Raises OSError."""
        if not self._under_way:
            self._write(replace(self._note, start=self._note.end))

    def remove(self) -> None:
        remove(self._path)

    def _cut(self) -> None:
        start = self._note.end
        piece = whole_characters(self._read(start, min(self._size, start + PIECE_BYTES + 1)), PIECE_BYTES)
        if self._grows:
            with self._text.open("ab") as file:
                os.fsync(file.fileno())
        self._write(replace(self._note, sequence=self._note.sequence + 1, start=start, end=start + len(piece)))
        self._under_way = True

    def _write(self, note: _Note) -> None:
        if self._grows:
            write_private_json(self._path, asdict(note))
        self._note = note

    def _read(self, start: int, end: int) -> bytes:
        with self._text.open("rb") as file:
            file.seek(start)
            return file.read(end - start)


def remove(path: Path) -> None:
    """Removes the journal whose note lies there."""
    for each in (path.with_suffix(".log"), path):
        each.unlink(missing_ok=True)


def whole_characters(data: bytes, limit: int) -> bytes:
    """The first `limit` bytes of valid UTF-8, or a few less so that no character is split."""
    if len(data) <= limit:
        return data
    end = limit
    while end and data[end] & 0xC0 == 0x80:
        end -= 1
    return data[:end]
