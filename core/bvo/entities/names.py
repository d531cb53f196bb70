"""What rows are called: by people, and by what tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .orders import MAX_ID

NAMES = ("name", "title", "username", "email", "reference")
"""The first of these that a row has is its name."""


def name_of(row: Mapping[str, Any]) -> str:
    """What people call this row, as its schema shows it; empty where it has only its number."""
    return next((str(row[name]) for name in NAMES if row.get(name)), "")


def row_of(subject: str) -> tuple[str, int | None]:
    """The entity type and the id that a subject such as `robot/3` names; no id where it can't be that of a row."""
    entity_type, _, number = subject.partition("/")
    return entity_type, int(number) if number.isdecimal() and int(number) <= MAX_ID else None
