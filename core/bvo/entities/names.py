"""What people call a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = ("name", "title", "username", "email", "reference")
"""The first of these that a row has is its name."""


def name_of(row: Mapping[str, Any]) -> str:
    """What people call this row, as its schema shows it; empty where it has only its number."""
    return next((str(row[name]) for name in NAMES if row.get(name)), "")
