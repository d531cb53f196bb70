"""What the environment says of the file."""

from __future__ import annotations

import os
from pathlib import Path

from bvo.config import environment
from bvo.errors import StartupError
from bvo_hookspecs import AuditSink

from .json_lines import JsonLines

BATCH = 100
"""Lines that wait for the disk together."""


def configured() -> list[AuditSink]:
    """The sink, where a file is named. Makes no file: commands may run as another user than the worker."""
    name = environment.text("BVO_AUDIT_FILE")
    if not name:
        return []
    max_bytes = environment.number("BVO_AUDIT_FILE_MAX_MB", 100, least=1, most=1_000_000) * 1_000_000
    keep = environment.number("BVO_AUDIT_FILE_KEEP", 10, most=1_000_000)
    file = JsonLines(_path(name), max_bytes=max_bytes, keep=keep)
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
