"""What the records check of themselves, so that a plugin's mistake is told where it was made."""

from __future__ import annotations

import re

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_EVENT = re.compile(rf"{_NAME.pattern}\.{_NAME.pattern}")


def check_name(record: object, value: str, field: str = "name") -> None:
    """Raise ValueError unless `value` is a lower-case identifier such as `queue_item`."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(
            f"{type(record).__name__}.{field} is {value!r}: use lower-case letters, digits and underscores,"
            " beginning with a letter"
        )


def check_event_name(record: object, value: str) -> None:
    """Raise ValueError unless `value` is what an event is about, a dot, and what happened: `job.completed`."""
    if not isinstance(value, str) or not _EVENT.fullmatch(value):
        raise ValueError(f"{type(record).__name__}.name is {value!r}: use a form like job.completed")


def check_text(record: object, value: str, field: str, most: int) -> None:
    """Raise ValueError unless `value` is a text that is not empty and has at most so many characters."""
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise ValueError(f"{type(record).__name__}.{field} is {value!r:.100}: give a text of 1 to {most} characters")
