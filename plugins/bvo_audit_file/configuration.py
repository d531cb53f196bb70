"""What the environment says of the file."""

from __future__ import annotations

import os
from pathlib import Path

from bvo.errors import StartupError
from bvo_hookspecs import AuditSink

from .json_lines import JsonLines

BATCH = 100
"""Lines that wait for the disk together."""


def configured() -> list[AuditSink]:
    """The sink, where a file is named. Makes no file: commands may run as another user than the worker."""
    name = os.environ.get("BVO_AUDIT_FILE")
    if not name:
        return []
    max_bytes = _number("BVO_AUDIT_FILE_MAX_MB", 100) * 1_000_000
    file = JsonLines(_path(name), max_bytes=max_bytes, keep=_number("BVO_AUDIT_FILE_KEEP", 10))
    return [AuditSink(name="audit_file", write=file.write, batch_size=BATCH)]


def _path(name: str) -> Path:
    path = Path(name).resolve()
    if path.exists() and not path.is_file():
        raise StartupError(f"BVO_AUDIT_FILE is {name}, which is no file: name one, e.g. {path / 'audit.jsonl'}.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StartupError(
            f"BVO_AUDIT_FILE is {name}, and nothing can be written in the folder {path.parent}."
            " Make it, and let the user write there who runs bvo."
        )
    return path


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or len(text) > 6:
        raise StartupError(f"{name} is {text!r}: use a whole number, e.g. {default}.")
    return int(text)
