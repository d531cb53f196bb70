"""Reading the documentation: its fenced blocks, tables, headings and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMENT = re.compile(r"<!-- (?P<key>[a-z]+): (?P<value>.*) -->")
CELL_BORDER = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced block. `notes` are the comments `<!-- key: value -->` right above it."""

    place: str
    language: str
    text: str
    notes: dict[str, str] = field(default_factory=dict)


def blocks(document: Path) -> Iterator[Block]:
    lines = enumerate(document.read_text(encoding="utf-8").splitlines(), start=1)
    notes: dict[str, str] = {}
    for number, line in lines:
        if line.startswith("```"):
            text: list[str] = []
            for _, inner in lines:
                if inner == "```":
                    break
                text.append(inner)
            yield Block(f"{document.name}:{number}", line.removeprefix("```"), "\n".join(text) + "\n", notes)
            notes = {}
        elif comment := COMMENT.fullmatch(line):
            notes[comment["key"]] = comment["value"]
        elif line:
            notes = {}


def section(document: Path, heading: str) -> str:
    """What stands below a heading, up to the next one of any level."""
    text = document.read_text(encoding="utf-8")
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"{document.name} has no heading {heading!r}"
    return re.split(r"(?m)^#+ ", rest)[0]


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a text: rows of cells, without their head."""
    found = re.findall(r"(?m)(?:^\|.*\n)+", text + "\n")
    return [[_cells(row) for row in table.splitlines()[2:]] for table in found]


def code(cell: str) -> str:
    """What stands in the code span that a cell is or begins with."""
    match = re.match(r"`([^`]*)`", cell)
    assert match, f"{cell!r} does not begin with `code`"
    return match[1]


def prose(document: Path) -> str:
    """The text without its fenced blocks and its code spans."""
    text = re.sub(r"(?ms)^```.*?^```$", "", document.read_text(encoding="utf-8"))
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a document."""
    text = re.sub(r"(?ms)^```.*?^```$", "", document.read_text(encoding="utf-8"))
    return {_anchor(heading) for heading in re.findall(r"(?m)^#+ (.+)$", text)}


def _anchor(heading: str) -> str:
    words = re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def _cells(row: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in CELL_BORDER.split(row.strip())[1:-1]]
