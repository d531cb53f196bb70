"""How values read: relative times, labels, states, JSON. Also the filters of that name in templates."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

DASH = "\N{EN DASH}"
ACRONYMS = "api id ip json mfa os sdk smtp starttls tls url"
SPELLINGS = {word: word.upper() for word in ACRONYMS.split()}
SPELLINGS |= {"email": "E-mail", "username": "user name", "sha256": "SHA-256"}
TONES = {
    "good": "completed succeeded success successful online active enabled ok healthy delivered sent ready available"
    " loaded resolved",
    "bad": "failed error errored lost unhealthy expired rejected crashed dead timed_out",
    "busy": "running in_progress busy claimed starting delivering working processing canceling cancelling",
    "wait": "pending new queued scheduled waiting retrying paused draining open",
}
"""The colour of a state, by its name. Every other one (canceled, offline, disabled, …) is neutral."""

_TONE_OF = {state: tone for tone, states in TONES.items() for state in states.split()}
_STEPS = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (7 * 86_400, 86_400, "d"))
_NOW_SECONDS = 60


def moment(value: Any) -> datetime | None:
    """A point in time from a datetime or an ISO 8601 text; without a zone it is UTC. None for anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def ago(value: Any, *, far: bool = False) -> str:
    """`3 min ago`, `in 2 h`; the date where it is more than a week away, or with `far`, beside a date, `in 90 d`."""
    when = moment(value)
    if when is None:
        return str(value or DASH)
    seconds = (datetime.now(UTC) - when).total_seconds()
    if abs(seconds) < _NOW_SECONDS:
        return "just now"
    for limit, size, unit in _STEPS:
        if abs(seconds) < limit or (far and unit == "d"):
            amount = f"{int(abs(seconds) // size)} {unit}"
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return f"{when.day} {when:%b %Y}"


def utc(value: Any) -> str:
    """`2026-11-22 18:19:39 UTC`."""
    when = moment(value)
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when else str(value or DASH)


def iso(value: Any) -> str:
    """The machine-readable form for `<time datetime>`: `2026-11-22T18:19:39Z`."""
    when = moment(value)
    return f"{when:%Y-%m-%dT%H:%M:%S}Z" if when else ""


def clock(value: Any) -> str:
    """`18:19:39 UTC`."""
    when = moment(value)
    return f"{when:%H:%M:%S} UTC" if when else str(value or DASH)


def marked(text: str, searched: str) -> Markup:
    """The text, with every place where `searched` stands marked, whatever its case."""
    if not searched:
        return escape(text)
    parts = re.split(f"({re.escape(searched)})", text, flags=re.IGNORECASE)
    found = Markup("<mark>{}</mark>")
    return Markup("").join(found.format(part) if number % 2 else escape(part) for number, part in enumerate(parts))


def duration(seconds: float | None) -> str:
    """`35 ms`, `0.4 s`, `42 s`, `3 min 5 s`, `2 h 10 min`; a dash for None."""
    if seconds is None:
        return DASH
    if seconds < 0.1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 1:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def coded(text: str) -> Markup:
    """What stands between backticks, as code."""
    parts = str(text).split("`")
    as_code = Markup("<code>{}</code>")
    return Markup("").join(as_code.format(part) if number % 2 else escape(part) for number, part in enumerate(parts))


def tone(state: Any) -> str:
    """The colour of a state: good, bad, busy, wait or idle."""
    return _TONE_OF.get(str(state).lower(), "idle")


def words(name: Any) -> str:
    """A label from a name: `created_at` is `Created`, `is_active` is `Active`, `queue_items` is `Queue items`."""
    text = re.sub(r"^is_|_at$|_id$|_bytes$", "", str(name)) or str(name)
    parts = [SPELLINGS.get(part, part) for part in text.replace("-", "_").split("_")]
    label = " ".join(parts)
    return label[:1].upper() + label[1:]


def lower_first(label: str) -> str:
    """A label within a sentence: `Queue item` is `queue item`, `API token` stays as it is."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def pretty(value: Any) -> str:
    """JSON to read, not to parse: indented, and with letters as they are."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def thousands(number: int) -> str:
    """`1,234`."""
    return f"{number:,}"


def quoted(text: str) -> str:
    """As one word of a command."""
    return shlex.quote(str(text))


FILTERS: dict[str, Callable[..., Any]] = {
    "ago": ago,
    "clock": clock,
    "coded": coded,
    "duration": duration,
    "iso": iso,
    "lower_first": lower_first,
    "marked": marked,
    "pretty": pretty,
    "quoted": quoted,
    "thousands": thousands,
    "tone": tone,
    "utc": utc,
    "words": words,
}
