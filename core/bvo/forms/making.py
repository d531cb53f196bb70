"""The controls of a schema."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from marshmallow import Schema, fields
from marshmallow import missing as nothing
from sqlalchemy import inspect

from bvo_hookspecs import EntityType

from . import rows
from .controls import Control, Option, attributes_of, choices_of, kind_of, words_of
from .texts import written

ONLY = "x_only"
"""Marks what a new row can't have yet."""


def controls_of(
    schema: Schema, model: type[Any] | None, secrets: Collection[str], editing: bool, prefix: str = ""
) -> Iterator[Control]:
    """What a form of this schema asks, in the order of its fields."""
    for name, asked in schema.load_fields.items():
        if editing or ONLY not in asked.metadata:
            yield _control(asked, asked.data_key or name, prefix, model, frozenset(secrets))


def defaults(controls: Collection[Control], model: type[Any] | None) -> dict[str, Any]:
    """What a new row has where nothing else is said: as the schema says, else as the model says."""
    columns = inspect(model).local_table.columns if model is not None else {}
    found: dict[str, Any] = {}
    for control in controls:
        given = control.field.load_default
        if given is nothing:
            default = getattr(columns.get(control.key), "default", None)
            given = default.arg if default is not None and default.is_scalar else None
        found[control.key] = None if given is None else control.field._serialize(given, control.key, {})
    return found


def fill(controls: Collection[Control], values: Mapping[str, Any]) -> tuple[Control, ...]:
    """The controls with the values of a row."""
    return tuple(_filled(control, values.get(control.key)) for control in controls)


def _filled(control: Control, value: Any) -> Control:
    if control.parts:
        return replace(control, parts=fill(control.parts, value)) if isinstance(value, Mapping) else control
    texts = written(control, value)
    unknown = [Option(text, "") for text in texts if control.kind == "select" and text not in _values(control)]
    return replace(control, texts=texts, options=(*control.options, *unknown))


def _values(control: Control) -> set[str]:
    return {option.value for option in control.options}


def _control(
    asked: fields.Field[Any],
    key: str,
    prefix: str,
    model: type[Any] | None,
    secrets: frozenset[str],
) -> Control:
    kind = kind_of(asked, key, secrets)
    required = asked.required and kind != "checkbox"
    plain = Control(name=f"{prefix}{key}", key=key, field=asked, kind=kind, required=required)
    plain = replace(plain, attributes=attributes_of(asked, kind), **cast(Any, words_of(asked, key, kind)))
    if entity := rows.referred(model, asked, asked.attribute or key):
        return _reference(plain, entity)
    if choices := choices_of(asked):
        return _choice(plain, choices)
    return _nested(plain, secrets) if isinstance(asked, fields.Nested | fields.List) else plain


def _reference(plain: Control, entity: EntityType) -> Control:
    several = isinstance(plain.field, fields.List)
    label = plain.label or (_plural(entity) if several else "")
    options = rows.options(entity)
    if options is None:
        return replace(plain, label=label, kind="lines" if several else "lookup", entity=entity)
    return replace(
        plain, label=label, kind="checkboxes" if several else "select", entity=entity, options=options, unit=""
    )


def _plural(entity: EntityType) -> str:
    return entity.nav.label if entity.nav else ""


def _choice(plain: Control, choices: tuple[Option, ...]) -> Control:
    if not isinstance(plain.field, fields.List):
        return replace(plain, kind="select", options=choices)
    parts = [choice.value.rpartition(":") for choice in choices]
    if not all(row for row, _, _ in parts):
        return replace(plain, kind="checkboxes", options=choices)
    labels = dict(choices)
    table = {row: Option(row, labels[f"{row}:{column}"]) for row, _, column in reversed(parts)}
    columns = dict.fromkeys(column for _, _, column in parts)
    return replace(
        plain,
        kind="matrix",
        options=tuple(reversed(table.values())),
        columns=tuple(Option(column, "") for column in columns),
        cells=frozenset(labels),
    )


def _nested(plain: Control, secrets: frozenset[str]) -> Control:
    """A group for one nested object; a matrix for a list of rows that name one of several and say yes or no to each
    column; JSON for anything else."""
    if isinstance(plain.field, fields.List):
        return _matrix(plain) if isinstance(plain.field.inner, fields.Nested) else plain
    if getattr(plain.field, "many", False):
        return plain
    inner = plain.field.schema  # type: ignore[attr-defined]
    parts = tuple(controls_of(inner, None, secrets, editing=False, prefix=f"{plain.name}."))
    asked = tuple(replace(part, required=part.required and plain.required) for part in parts)
    return replace(plain, kind="group", parts=fill(asked, defaults(asked, None)))


def _matrix(plain: Control) -> Control:
    asked: dict[str, fields.Field[Any]] = plain.field.inner.schema.load_fields  # type: ignore[attr-defined]
    flags = [name for name, field in asked.items() if isinstance(field, fields.Boolean)]
    others = [field for name, field in asked.items() if name not in flags]
    choices = choices_of(others[0]) if len(others) == 1 else ()
    if not flags or not choices:
        return plain
    return replace(
        plain,
        kind="matrix",
        options=choices,
        columns=tuple(Option(name, str(asked[name].metadata.get("label", ""))) for name in flags),
        cells=frozenset(f"{choice.value}:{name}" for choice in choices for name in flags),
    )
