"""The three things that a script tells the orchestrator: its result, its progress and log lines."""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, datetime
from typing import Any

from bvo_job._context import file_from, replace_file

RESULT_LIMIT = 1024 * 1024


def set_result(value: Any) -> None:
    """Sets what the job returns: any JSON value, at most 1 MiB as JSON. The last call wins.

    Raises TypeError for a value that JSON cannot express (a set, a date, NaN, a circular list) and ValueError
    for one that is too large; put large data into a file in `artifacts_dir` instead.
    """
    text = as_json(value, "the result")
    path = file_from("BVO_RESULT_FILE")
    if path:
        replace_file(path, text)
    else:
        _say(f"result: {text}")


def progress(fraction: float | None, message: str = "") -> None:
    """Shows how far the job is: `fraction` from 0 to 1 (clamped; None: unknown) and a short message.

    Raises TypeError for a fraction that is not a number and ValueError for NaN.
    """
    if fraction is not None:
        if not isinstance(fraction, (int, float)):
            raise TypeError(f"fraction must be a number from 0 to 1 or None, not {type(fraction).__name__}")
        if math.isnan(fraction):
            raise ValueError("fraction must be a number from 0 to 1 or None, not NaN")
        fraction = min(1.0, max(0.0, float(fraction)))
    path = file_from("BVO_PROGRESS_FILE")
    if path:
        replace_file(path, json.dumps({"fraction": fraction, "message": str(message)}))
    else:
        _say(f"progress: {'?' if fraction is None else format(fraction, '.0%')} {message}".rstrip())


def log(message: object, level: str = "info") -> None:
    """Prints one line with the time (UTC) and the level, at once: `2026-11-22T20:39:01Z INFO  text`."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    _say(f"{now} {level.upper():<5} {message}")


def as_json(value: Any, what: str) -> str:
    """The value as JSON of at most 1 MiB. Raises TypeError or ValueError, which call it `what`."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{what} is not a JSON value: {error}") from None
    if len(text) > RESULT_LIMIT:
        raise ValueError(f"{what} has {len(text)} bytes, over 1 MiB: write a file to bvo_job.artifacts_dir instead")
    return text


def _say(line: str) -> None:
    # One write, so that the lines of several threads stay whole.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
