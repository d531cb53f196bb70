"""An event as JSON, all of it and in one line: what audit sinks write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from bvo_hookspecs import Event

LEFT_BARE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What JSON need not escape, but some readers take for the end of a line or for a command; and half characters."""


def told(event: Event) -> dict[str, Any]:
    """Every field by its name, in the order of `Event`; the time is in UTC with microseconds (RFC 3339)."""
    time = event.occurred_at.astimezone(UTC).isoformat(timespec="microseconds")
    return vars(event) | {"occurred_at": time.replace("+00:00", "Z")}


def line(fields: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """The fields as one line, without its end: no text in them can begin another one."""
    text = json.dumps(fields, ensure_ascii=ascii_only, separators=(",", ":"))
    return LEFT_BARE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
