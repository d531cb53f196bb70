"""What differs between two versions of a process: its definition, the files of its package, the lines of its script."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from bvo.database import db
from bvo_packages import contents
from bvo_packages.models import Package

from .models import ProcessVersion

MAX_LINES, MAX_FILES = 2000, 200
"""So many lines of a script's differences, and so many files, are shown."""


@dataclass(frozen=True)
class Comparison:
    """From `before` to `after`. `files` are (what happened, name), `lines` a unified diff without its head."""

    before: ProcessVersion
    after: ProcessVersion
    files: Sequence[tuple[str, str]]
    lines: Sequence[str]
    complete: bool
    readable: bool


def compare(before: ProcessVersion, after: ProcessVersion) -> Comparison:
    """Packages that were deleted since have nothing to compare."""
    old, new = (db.session.get(Package, one.package_id) if one.package_id else None for one in (before, after))
    if old is None or new is None:
        return Comparison(before, after, [], [], complete=True, readable=False)
    files = [] if old.id == new.id else _files(old, new)
    lines = _lines(contents.text(old, before.script_path), contents.text(new, after.script_path))
    complete = len(lines) <= MAX_LINES and len(files) <= MAX_FILES
    return Comparison(before, after, files[:MAX_FILES], lines[:MAX_LINES], complete=complete, readable=True)


def _files(old: Package, new: Package) -> list[tuple[str, str]]:
    before, after = contents.files(old), contents.files(new)
    changed = [("changed", name) for name in before if name in after and before[name] != after[name]]
    added = [("added", name) for name in after if name not in before]
    return sorted(changed + added + [("removed", name) for name in before if name not in after], key=lambda one: one[1])


def _lines(old: str, new: str) -> list[str]:
    found = difflib.unified_diff(old.splitlines(), new.splitlines(), n=3, lineterm="")
    return list(found)[2 : MAX_LINES + 3]
