"""The progress that a script last wrote; the file is replaced as a whole by `bvo_job.progress`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bvo_agent.masking import Masks

FILE_LIMIT_BYTES = 16 * 1024
MESSAGE_CHARACTERS = 500


class ProgressFile:
    def __init__(self, path: Path, masks: Masks) -> None:
        self._path = path
        self._masks = masks
        self._seen: tuple[int, int, int] | None = None

    def news(self) -> dict[str, Any] | None:
        """The progress since the last call, None when there is no new one or it makes no sense."""
        try:
            status = self._path.stat()
            version = (status.st_mtime_ns, status.st_ino, status.st_size)
            if version == self._seen or status.st_size > FILE_LIMIT_BYTES:
                return None
            self._seen = version
            value = self._masks.value(json.loads(self._path.read_text(encoding="utf-8")))
            return _checked(value) if isinstance(value, dict) else None
        except (OSError, ValueError, RecursionError):
            return None


def _checked(value: dict[str, Any]) -> dict[str, Any] | None:
    fraction, message = value.get("fraction"), value.get("message")
    if isinstance(fraction, (int, float)) and not 0 <= fraction <= 1:
        return None
    return {
        "fraction": fraction if isinstance(fraction, (int, float)) else None,
        "message": str(message)[:MESSAGE_CHARACTERS] if message else None,
    }
