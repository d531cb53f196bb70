"""A job's log as numbered lines: its end first, any other part on demand, and what follows.

The parts are found by counting line ends in the database. Only a search reads a whole log, of which the settings limit
the size; it keeps no more of it than it shows.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Select, func, select

from bvo.database import db

from .models import LogChunk

LINES = 200
"""Lines that one answer shows."""
MAX_NEW_LINES = 1000
"""Where more have followed, one sees the end of the log instead of all of them."""
MAX_LINE = 2000
"""Characters of a line that are shown."""
CHUNKS, CHARACTERS = 500, 1_000_000
"""How much of what followed one answer reads."""

ERROR, WARNING = "error", "warning"
LEVELS = {"": (), WARNING: (WARNING, ERROR), ERROR: (ERROR,)}

_ERROR = re.compile(r"\b(?:ERROR|CRITICAL|FATAL|Traceback|[A-Z]\w*(?:Error|Exception))\b|^\s*(?i:error|fatal)\b")
_WARNING = re.compile(r"\bWARN(?:ING)?\b|\b[A-Z]\w*Warning\b|^\s*(?i:warn(?:ing)?)\b")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
_ALTERED = re.compile(r"[\x1b\r\t]")
_LINE_ENDS = func.length(LogChunk.text) - func.length(func.replace(LogChunk.text, "\n", ""))


@dataclass(frozen=True)
class Line:
    """A line as it is shown: without colours, and of a progress bar the latest state."""

    number: int
    text: str
    level: str = ""
    left_out: int = 0


@dataclass(frozen=True)
class Position:
    """Where a line begins: so many characters behind the start of a chunk."""

    sequence: int = 0
    offset: int = 0
    line: int = 1

    def __str__(self) -> str:
        return f"{self.sequence}.{self.offset}.{self.line}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Raises ValueError."""
        sequence, offset, line = (int(part) for part in text.split("."))
        return cls(sequence, offset, line)


@dataclass(frozen=True)
class Sought:
    """Which lines one wants to see: with a text, of a level; all of them where nothing is said."""

    text: str = ""
    level: str = ""

    def __bool__(self) -> bool:
        return bool(self.text or self.level)

    def fits(self, line: Line) -> bool:
        wanted = LEVELS.get(self.level, ())
        return (not wanted or line.level in wanted) and self.text.lower() in line.text.lower()

    def finds(self, raw: str) -> bool:
        """The same of a line as it was printed; one that is shown as it is needs no closer look."""
        if self.level or len(raw) > MAX_LINE or _ALTERED.search(raw):
            return self.fits(_line(0, raw))
        return self.text.lower() in raw.lower()


@dataclass(frozen=True)
class Excerpt:
    """Some lines. Before the line number `earlier` there are others; what follows the last one begins at `position`,
    and `more` says that there is more of it already. One that `replaces` stands for all that was shown before."""

    lines: Sequence[Line]
    position: Position = field(default_factory=Position)
    earlier: int | None = None
    later: int | None = None
    replaces: bool = False
    more: bool = False


@dataclass(frozen=True)
class Log:
    """The log of one attempt at a job."""

    job_id: int
    attempt: int

    def end(self, sought: Sought, before: int | None = None) -> Excerpt:
        """The last of the lines, or of those before a number."""
        if sought:
            return self._search(sought, before)
        last = self._count() if before is None else before - 1
        part = self._range(max(1, last - LINES), last)  # one more: the last one may be empty so far
        shown = part.lines[-LINES:]
        return replace(part, lines=shown, earlier=shown[0].number if shown and shown[0].number > 1 else None)

    def around(self, number: int) -> Excerpt:
        """The lines around one of them."""
        count = self._count()
        first = max(1, min(number, count) - LINES // 2)
        return self._range(first, min(first + LINES - 1, count), count)

    def after(self, position: Position, sought: Sought) -> Excerpt:
        """What has followed since; the line that was not yet complete comes again."""
        query = self._chunks().where(LogChunk.sequence >= position.sequence).limit(CHUNKS + 1)
        chunks, more = _some(db.session.execute(query))
        lines, following = _split(chunks, position, endless=more)
        if len(lines) > MAX_NEW_LINES:
            end = self.end(sought)
            return Excerpt(end.lines, end.position, end.earlier, replaces=True)
        return Excerpt([line for line in lines if sought.fits(line)], following, more=more)

    def text(self) -> Iterator[str]:
        """All of it, piece by piece."""
        last = -1
        while found := db.session.execute(self._chunks().where(LogChunk.sequence > last).limit(CHUNKS)).all():
            yield "".join(text for _, text in found)
            last = found[-1].sequence

    def _search(self, sought: Sought, before: int | None) -> Excerpt:
        found: deque[tuple[int, str]] = deque(maxlen=LINES + 1)
        for number, text in self._numbered():
            if before is not None and number >= before:
                break
            if sought.finds(text):
                found.append((number, text))
        more, shown = len(found) > LINES, [_line(*each) for each in list(found)[-LINES:]]
        return Excerpt(shown, self._range(self._count(), self._count()).position, shown[0].number if more else None)

    def _numbered(self) -> Iterator[tuple[int, str]]:
        number, begun = 1, ""
        for text in self.text():
            *complete, begun = (begun + text).split("\n")
            yield from enumerate(complete, number)
            number += len(complete)
        if begun:
            yield number, begun

    def _range(self, first: int, last: int, count: int | None = None) -> Excerpt:
        chunks = self._holding(first, last)
        if not chunks:
            return Excerpt([])
        lines, following = _split(
            [(row.sequence, row.text) for row in chunks], Position(chunks[0].sequence, 0, chunks[0].before + 1)
        )
        shown = [line for line in lines if first <= line.number <= last]
        later = last + 1 if count is not None and last < count else None
        return Excerpt(shown, following, first if first > 1 else None, later)

    def _holding(self, first: int, last: int) -> Sequence[Any]:
        """The chunks that hold these lines, with the number of lines that end before each."""
        ends = func.sum(_LINE_ENDS).over(order_by=LogChunk.sequence)
        placed = self._chunks().with_only_columns(LogChunk.id, ends.label("behind"), _LINE_ENDS.label("own")).subquery()
        before = placed.c.behind - placed.c.own
        query = select(LogChunk.sequence, LogChunk.text, before.label("before")).join(
            placed, placed.c.id == LogChunk.id
        )
        holding = query.where(before < last, placed.c.behind >= first - 1)
        return db.session.execute(holding.order_by(LogChunk.sequence)).all()

    def _count(self) -> int:
        """How many lines there are; the last one may be empty so far."""
        return 1 + int(db.session.scalar(self._chunks().with_only_columns(func.sum(_LINE_ENDS)).order_by(None)) or 0)

    def _chunks(self) -> Select[int, str]:
        mine = (LogChunk.job_id == self.job_id, LogChunk.attempt == self.attempt)
        return select(LogChunk.sequence, LogChunk.text).where(*mine).order_by(LogChunk.sequence)


def _some(chunks: Iterable[Any]) -> tuple[list[tuple[int, str]], bool]:
    """The chunks, as many as one answer reads, and whether there are more."""
    found: list[tuple[int, str]] = []
    characters = 0
    for sequence, text in chunks:
        if characters > CHARACTERS or len(found) == CHUNKS:
            return found, True
        found.append((sequence, text))
        characters += len(text)
    return found, False


def _split(chunks: Sequence[tuple[int, str]], start: Position, *, endless: bool = False) -> tuple[list[Line], Position]:
    """The lines from `start` on, and where the last of them begins: it may not be complete.

    Where there is no end of it in sight (`endless`), what follows is another piece of that line.
    """
    if not chunks:
        return [], start
    texts = [text for _, text in chunks]
    if chunks[0][0] == start.sequence:
        texts[0] = texts[0][start.offset :]
    pieces = "".join(texts).split("\n")
    if len(pieces) == 1 and endless:
        following = Position(chunks[-1][0], len(chunks[-1][1]), start.line)
    else:
        following = _last_start(chunks, start, start.line + len(pieces) - 1)
    lines = [_line(number, text) for number, text in enumerate(pieces, start.line)]
    return (lines if pieces[-1] else lines[:-1]), following


def _last_start(chunks: Sequence[tuple[int, str]], start: Position, line: int) -> Position:
    """Where the last line begins: behind the last line end, or at `start`."""
    if line == start.line:
        return start
    sequence, text = next(chunk for chunk in reversed(chunks) if "\n" in chunk[1])
    return Position(sequence, text.rindex("\n") + 1, line)


def _line(number: int, raw: str) -> Line:
    text = _ESCAPES.sub("", raw.rstrip("\r").rpartition("\r")[2]).expandtabs(4)
    shown = text[:MAX_LINE]
    level = ERROR if _ERROR.search(shown) else WARNING if _WARNING.search(shown) else ""
    return Line(number, shown, level, len(text) - len(shown))
