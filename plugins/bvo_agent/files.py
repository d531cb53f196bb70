"""Small file operations that several modules need."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any


def write_private_json(path: Path, value: Any) -> None:
    """Replaces a file as a whole, readable by its owner only, and on the disk when this returns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """The file's JSON value, None when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def remove_tree(path: Path) -> None:
    """Removes a folder or file. It is renamed first, so that no half-removed tree stays under its name."""
    trash = Path(tempfile.mkdtemp(prefix=".trash-", dir=path.parent))
    with contextlib.suppress(OSError):
        path.replace(trash / path.name)
    shutil.rmtree(trash, ignore_errors=True)


def keep_newest(folder: Path, count: int) -> None:
    """Removes all entries but the `count` newest; names that start with a dot are not counted."""
    entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    for path in sorted(entries, key=lambda path: path.stat().st_mtime_ns, reverse=True)[count:]:
        remove_tree(path)
