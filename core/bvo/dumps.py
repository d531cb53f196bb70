"""Marshmallow schemas that are dumped by the thousand: the same result, without the ceremony."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any

from marshmallow import Schema, fields, missing

Dump = Callable[[Any], dict[str, Any]]
Step = tuple[str, Any, Any, Callable[[Any], Any] | None]
"""A field's name; the field; the type whose values are shown by the last one, or as they are; None: no type is."""

EXACT = {fields.Integer: int, fields.String: str, fields.Boolean: bool, fields.Raw: dict}
"""Fields that show a value of this very type as it is."""


def dumper(kind: type[Schema]) -> Dump:
    """What `kind().dump` does, compiled once. Fields and schemas that do something of their own keep doing it."""
    return _compiled(kind)


@cache
def fields_of(kind: type[Schema]) -> dict[str, fields.Field[Any]]:
    """What the schema shows, by name. Asked once: to make a schema costs more than to show a row."""
    return {field.data_key or name: field for name, field in kind().dump_fields.items()}


def shown(kind: type[Schema], row: Any) -> Mapping[str, Any]:
    """What `kind().dump(row)` returns, with each field made when it is asked for: for those who read few of them."""
    dump = dumper(kind)
    return _Shown(kind, row) if isinstance(dump, partial) else dump(row)


class _Shown(Mapping[str, Any]):
    def __init__(self, kind: type[Schema], row: Any) -> None:
        self._kind, self._row = kind, row

    def __getitem__(self, name: str) -> Any:
        field = fields_of(self._kind)[name]
        if (value := field.serialize(field.name or name, self._row)) is missing:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(dumper(self._kind)(self._row))

    def __len__(self) -> int:
        return len(dumper(self._kind)(self._row))


@cache
def _compiled(kind: Any) -> Dump:
    schema: Schema = kind()
    if schema._hooks:
        return schema.dump
    return partial(_dump, [_step(name, field) for name, field in schema.dump_fields.items()])


def _dump(steps: list[Step], row: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, field, exact, show in steps:
        value = getattr(row, name, missing) if exact else missing
        if value is None:
            shown[name] = None
        elif exact and (type(value) is exact or (exact is object and value is not missing)):
            shown[name] = show(value) if show else value
        elif (value := field.serialize(name, row)) is not missing:
            shown[field.data_key or name] = value
    return shown


def _step(name: str, field: Any) -> Step:
    kind = type(field)
    if field.attribute or field.data_key or getattr(field, "as_string", False):
        return name, field, None, None
    if kind is fields.Nested and not (field.only or field.exclude or field.many or field.schema.many):
        nested: Any = type(field.schema)
        return name, field, object, dumper(nested)
    if kind is fields.AwareDateTime and field.format in (None, "iso"):
        return name, field, datetime, datetime.isoformat
    return name, field, EXACT.get(kind), None
