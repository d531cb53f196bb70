"""The filter form of a list, made from the filters that an entity type declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

from marshmallow import ValidationError, fields
from werkzeug.datastructures import MultiDict

from bvo.database import db
from bvo.entities import scoped
from bvo.forms import choices_of
from bvo_hookspecs import EntityType, Filter

from .references import name_column, referred
from .text import words

Kind = Literal["search", "text", "number", "datetime-local", "checkbox", "select"]
FLAG = (("true", "Yes"), ("false", "No"))
MAX_CHOICES = 100
"""Rows that a filter such as `process_id` offers by name; where there are more, one types the number."""


@dataclass(frozen=True)
class Control:
    """One field of the form, with what was entered and what is wrong with it."""

    name: str
    label: str
    kind: Kind
    value: str
    help: str = ""
    options: tuple[tuple[str, str], ...] = ()
    error: str = ""


def given(entity: EntityType, query: MultiDict[str, str]) -> dict[str, Any]:
    """What the query string narrows the list by; a form sends fields that were left empty, too."""
    found: dict[str, Any] = {}
    for criterion in entity.filters:
        values = [value for value in query.getlist(criterion.name) if value.strip()]
        if values:
            found[criterion.name] = values if isinstance(criterion.field, fields.List) else values[-1]
    return found


def controls(entity: EntityType, entered: Mapping[str, Any], errors: Mapping[str, Any]) -> list[Control]:
    """The form's fields; a second filter that does the same under another name is left out."""
    distinct = {criterion.apply: criterion for criterion in reversed(entity.filters)}
    shown = [criterion for criterion in entity.filters if distinct[criterion.apply] is criterion]
    return [_control(criterion, entered.get(criterion.name, ""), errors.get(criterion.name)) for criterion in shown]


def _control(criterion: Filter, entered: Any, errors: Any) -> Control:
    kind = _kind(criterion)
    options = () if kind == "checkbox" else _options(criterion)
    return Control(
        name=criterion.name,
        label=_label(criterion, kind),
        kind="select" if options else kind,
        value=_shown(criterion, kind, entered),
        help=str(criterion.field.metadata.get("description", "")),
        options=options,
        error=" ".join(map(str, errors)) if isinstance(errors, list) else str(errors or ""),
    )


def _shown(criterion: Filter, kind: Kind, entered: Any) -> str:
    """What was entered, in the form that the browser's control takes."""
    if kind == "datetime-local" and entered:
        try:
            return f"{criterion.field.deserialize(entered).astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
        except (ValidationError, OverflowError):
            pass  # it is shown as it is, beside what is wrong with it
    return ",".join(entered) if isinstance(entered, list) else str(entered)


def _label(criterion: Filter, kind: Kind) -> str:
    label = str(criterion.field.metadata.get("label") or words(criterion.name))
    return f"{label} (UTC)" if kind == "datetime-local" else label


def _options(criterion: Filter) -> tuple[tuple[str, str], ...]:
    if isinstance(criterion.field, fields.Boolean):
        return FLAG
    if found := choices_of(criterion.field):
        return tuple((option.value, option.label or words(option.value)) for option in found)
    return _rows(criterion.name)


def _rows(name: str) -> tuple[tuple[str, str], ...]:
    """The rows that `queue_id` may refer to, where they are few and have names."""
    entity = referred(name)
    column = name_column(entity) if entity else None
    if entity is None or column is None:
        return ()
    named = scoped(entity).with_only_columns(entity.model.id, column).order_by(entity.model.id.desc())
    found = [(str(row_id), str(text)) for row_id, text in db.session.execute(named.limit(MAX_CHOICES + 1)) if text]
    return () if len(found) > MAX_CHOICES else tuple(sorted(found, key=lambda pair: pair[1].lower()))


def _kind(criterion: Filter) -> Kind:
    if criterion.name == "search":
        return "search"
    if isinstance(criterion.field, fields.Boolean) and criterion.name.endswith("_only"):
        return "checkbox"
    if isinstance(criterion.field, fields.Number):
        return "number"
    return "datetime-local" if isinstance(criterion.field, fields.DateTime) else "text"
