"""Where the runner left this job's files: it names them in environment variables."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


def file_from(variable: str) -> Path | None:
    """The path that the runner put into this environment variable, None outside a job."""
    value = os.environ.get(variable)
    return Path(value) if value else None


def load_parameters() -> dict[str, Any]:
    """Reads the parameters file; `{}` outside a job or for a job without parameters."""
    path = file_from("BVO_PARAMETERS_FILE")
    return dict(json.loads(path.read_text(encoding="utf-8")) or {}) if path else {}


def open_artifacts_dir() -> Path:
    """Creates the artifacts folder where it is missing and returns its absolute path."""
    folder = (file_from("BVO_ARTIFACTS_DIR") or Path("artifacts")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def replace_file(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old or the new text, never a half."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    for _ in range(50):
        try:
            temporary.replace(path)
            return
        except PermissionError:
            # Windows refuses while the runner has the file open, which it has for a moment only.
            time.sleep(0.01)
    temporary.replace(path)
