"""The tables of docs/plugins.md say what the live contract says: every hook, every record, every field."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest

import bvo_hookspecs
from bvo_hookspecs import spec
from docs.markdown import ROOT, code, section, tables

DOCUMENT = ROOT / "docs" / "plugins.md"
HOOKS = {name: hook for name, hook in vars(spec).items() if hasattr(hook, "bvo_spec")}
RECORDS = {
    name: record
    for name in bvo_hookspecs.__all__
    if dataclasses.is_dataclass(record := getattr(bvo_hookspecs, name)) and inspect.isclass(record)
}


def test_every_hook_is_listed_in_its_order_with_what_it_returns() -> None:
    (rows,) = tables(section(DOCUMENT, "## All hooks"))
    assert [(code(name), code(returns)) for name, returns, *_ in rows] == [
        (name, hook.__annotations__["return"]) for name, hook in HOOKS.items()
    ]


def test_every_hook_tells_when_it_is_used_and_what_an_error_does() -> None:
    (rows,) = tables(section(DOCUMENT, "## All hooks"))
    assert [row for row in rows if len(row) != 4 or not all(row)] == []


def test_every_record_has_a_section() -> None:
    text = DOCUMENT.read_text("utf-8").partition("\n## Records\n")[2]
    headings = [line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")]
    assert sorted(headings) == sorted(RECORDS)


@pytest.mark.parametrize("name", RECORDS)
def test_the_fields_of_a_record_are_those_of_its_class(name: str) -> None:
    (rows,) = tables(section(DOCUMENT, f"### {name}"))
    shown = [(code(field), code(kind), default) for field, kind, default, _ in rows]
    assert shown == [(field.name, field.type, _default(field)) for field in dataclasses.fields(RECORDS[name])]
    assert all(meaning for *_, meaning in rows)


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return f"`{field.default_factory()!r}`"
    if field.default is dataclasses.MISSING:
        return "must be given"
    return "a function" if callable(field.default) else f"`{field.default!r}`"
