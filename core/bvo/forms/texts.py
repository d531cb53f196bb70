"""Values as the texts that a form sends, and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields

from . import rows
from .controls import Control

TEXTUAL = ("email", "password", "text", "textarea", "url")
MAX_DIGITS = 400


def written(control: Control, value: Any) -> tuple[str, ...]:
    """What the control shows for a value, as a schema dumps it."""
    if value is None or control.secret:
        return ()
    if control.kind == "checkbox":
        return ("true",) if value else ()
    if control.several:
        return tuple(_marks(control, value) if _nested(control) else map(str, value))
    text = WRITERS.get(control.kind, _written_plainly)(control, value)
    return (text,) if text else ()


def cleaned(control: Control, sent: Sequence[str]) -> tuple[str, ...]:
    """What was sent, as `written` would have it: browsers send line breaks in their own way."""
    texts = [text.replace("\r\n", "\n") for text in sent]
    if control.kind not in ("password", "textarea", "json"):
        texts = [text.strip() for text in texts]
    return tuple(text for text in texts if text)


def value_of(control: Control, texts: Sequence[str]) -> Any:
    """The value that the texts stand for, to be checked by the schema. Raises ValidationError for what can't be read.

    A number that is none stays a text, which its field refuses.
    """
    if control.kind == "checkbox":
        return bool(texts)
    if control.several and _nested(control):
        return _table(control, texts)
    if control.several:
        return [_plain(control, text) for text in texts]
    text = texts[0]
    if control.kind == "json":
        return _json(text)
    if control.kind == "lines":
        return [_plain(control, line.strip()) for line in text.splitlines() if line.strip()]
    if control.kind == "lookup" and control.entity:
        return rows.resolve(control.entity, text)
    if control.kind == "datetime-local" and isinstance(control.field, fields.AwareDateTime | fields.String):
        return f"{text}+00:00"
    return _plain(control, text)


def emptied(control: Control) -> Any:
    """The value of a control from which everything was removed."""
    if control.field.allow_none or control.kind not in (*TEXTUAL, "lines"):
        return None
    return [] if control.kind == "lines" else ""


def digest(texts: Sequence[str]) -> str:
    """Tells whether texts have changed; their order counts for nothing, as that of boxes does not."""
    return hashlib.sha256(json.dumps(sorted(texts)).encode()).hexdigest()[:16]


def _plain(control: Control, text: str) -> Any:
    """A number where the field wants one, a truth value likewise, else the text."""
    wanted = control.field.inner if isinstance(control.field, fields.List) else control.field
    if isinstance(wanted, fields.Boolean):
        return {"true": True, "false": False}.get(text, text)
    if isinstance(wanted, fields.Number) and len(text) <= MAX_DIGITS:
        try:
            return int(text) if isinstance(wanted, fields.Integer) else float(text)
        except ValueError:
            return text
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValidationError(f"This is not JSON: {error.msg} at {where}.") from None
    except (ValueError, RecursionError):
        raise ValidationError("This JSON can't be read: nest less deeply, use shorter numbers.") from None


def _moment(control: Control, value: Any) -> str:
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:  # of a text that only should be one
        return str(value)
    if when.tzinfo is not None:
        when = when.astimezone(UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}"


def _nested(control: Control) -> bool:
    return isinstance(control.field, fields.List) and isinstance(control.field.inner, fields.Nested)


def _row_key(control: Control) -> str:
    """The field of a matrix's rows that is no column."""
    names = {column.value for column in control.columns}
    known: Mapping[str, Any] = control.field.inner.schema.load_fields  # type: ignore[attr-defined]
    return next(name for name in known if name not in names)


def _marks(control: Control, value: Sequence[Mapping[str, Any]]) -> list[str]:
    key = _row_key(control)
    return [f"{row[key]}:{column.value}" for row in value for column in control.columns if row.get(column.value)]


def _table(control: Control, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The rows in which something is marked."""
    key = _row_key(control)
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, _, column = text.rpartition(":")
        found.setdefault(name, {key: name, **{other.value: False for other in control.columns}})[column] = True
    return list(found.values())


def _written_plainly(control: Control, value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


WRITERS: dict[str, Callable[[Control, Any], str]] = {
    "datetime-local": _moment,
    "json": lambda control, value: json.dumps(value, indent=2, ensure_ascii=False),
    "lines": lambda control, value: "\n".join(map(str, value)),
    "lookup": lambda control, value: rows.written(control.entity, value),
}
