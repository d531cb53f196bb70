"""One control of a form: which kind fits a field, and what is asked beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as made
from typing import Any, Literal, NamedTuple

from marshmallow import fields, missing, validate

from bvo_hookspecs import EntityType

Kind = Literal[
    "checkbox",
    "checkboxes",
    "date",
    "datetime-local",
    "email",
    "file",
    "group",
    "json",
    "lines",
    "lookup",
    "matrix",
    "number",
    "password",
    "select",
    "text",
    "textarea",
    "time",
    "url",
]
LONG = 1000
"""A text that may have so many characters gets several lines."""
UNIT = re.compile(r"(?P<stem>.+)_(?P<unit>seconds|minutes|hours|days)")
BY_FIELD: tuple[tuple[type[fields.Field[Any]], Kind], ...] = (
    (fields.Boolean, "checkbox"),
    (fields.Number, "number"),
    (fields.Date, "date"),
    (fields.DateTime, "datetime-local"),
    (fields.Time, "time"),
    (fields.Email, "email"),
    (fields.Url, "url"),
    (fields.List, "json"),
    (fields.Mapping, "json"),
    (fields.Nested, "json"),
    (fields.Raw, "json"),
)
"""The first one that fits; a date is a kind of date-time in marshmallow."""
BY_FORMAT: dict[str, Kind] = {
    "binary": "file",
    "date": "date",
    "date-time": "datetime-local",
    "email": "email",
    "password": "password",
    "time": "time",
    "uri": "url",
}
"""By the `format` in a field's metadata, as JSON Schema has it."""
FLAG = (("true", "Yes"), ("false", "No"))


class Option(NamedTuple):
    """One of several to choose from."""

    value: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Control:
    """What a form asks for one field. `texts` is what it sends, and `theirs` what somebody else has saved meanwhile.

    `name` is unique in the form; `stem` is what a label is made of where `label` is empty. `kept` says that there is a
    secret, which stays where nothing is entered. A matrix has `options` as rows and `columns`; its `cells` are sent.
    """

    name: str
    key: str
    field: fields.Field[Any]
    kind: Kind
    label: str = ""
    hint: str = ""
    unit: str = ""
    placeholder: str = ""
    required: bool = False
    options: tuple[Option, ...] = ()
    columns: tuple[Option, ...] = ()
    cells: frozenset[str] = frozenset()
    attributes: Mapping[str, Any] = made(default_factory=dict)
    entity: EntityType | None = None
    parts: tuple[Control, ...] = ()
    texts: tuple[str, ...] = ()
    theirs: tuple[str, ...] | None = None
    kept: bool = False
    errors: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        found = UNIT.fullmatch(self.key)
        return found["stem"] if found and self.kind == "number" else self.key

    @property
    def text(self) -> str:
        return self.texts[0] if self.texts else ""

    @property
    def secret(self) -> bool:
        """True for what no page shows again, also where the form comes back."""
        return self.kind in ("password", "file")

    @property
    def clearable(self) -> bool:
        """True where a choice may be none, or may not have been made yet."""
        return self.field.allow_none or not self.texts or (not self.required and self.field.load_default is missing)

    @property
    def several(self) -> bool:
        return self.kind in ("checkboxes", "matrix")

    def every(self) -> Iterator[Control]:
        """This one, or those that it consists of."""
        if self.parts:
            for part in self.parts:
                yield from part.every()
        else:
            yield self


def kind_of(asked: fields.Field[Any], key: str, secrets: frozenset[str]) -> Kind:
    """The kind of control for a field that has no choices."""
    metadata = asked.metadata
    if kind := BY_FORMAT.get(metadata.get("format", "")):
        return kind
    if isinstance(asked, fields.List) and isinstance(asked.inner, fields.String | fields.Number):
        return "lines"
    for kind_of_field, kind in BY_FIELD:
        if isinstance(asked, kind_of_field):
            return kind
    if asked.load_only or key in secrets:
        return "password"
    return "textarea" if _most(asked) >= LONG else "text"


def choices_of(asked: fields.Field[Any]) -> tuple[Option, ...]:
    """The values that a field, or the items of a list, may have, where they are few and known; with their labels."""
    if isinstance(asked, fields.List):
        return choices_of(asked.inner) or _declared(asked)
    if isinstance(asked, fields.Boolean) and asked.allow_none:
        return tuple(Option(*pair) for pair in FLAG)
    return _declared(asked)


def attributes_of(asked: fields.Field[Any], kind: Kind) -> dict[str, Any]:
    """Limits, as HTML writes them."""
    found: dict[str, Any] = {}
    for validator in asked.validators:
        if isinstance(validator, validate.Range) and kind == "number":
            found |= {"min": validator.min, "max": validator.max}
        if isinstance(validator, validate.Length) and kind in ("email", "password", "text", "textarea", "url"):
            found["maxlength"] = validator.equal or validator.max
    if kind == "number":
        found["step"] = 1 if isinstance(asked, fields.Integer) else "any"
    if kind in ("datetime-local", "time"):
        found["step"] = 1
    return {name: value for name, value in found.items() if value is not None}


def words_of(asked: fields.Field[Any], key: str, kind: Kind) -> dict[str, str]:
    """Label, hint, unit and placeholder, as far as the field's metadata and its name tell them."""
    metadata = asked.metadata
    unit = UNIT.fullmatch(key) if kind == "number" else None
    return {
        "label": str(metadata.get("label") or ""),
        "hint": str(metadata.get("description") or ""),
        "unit": unit["unit"] if unit else "",
        "placeholder": _placeholder(metadata.get("example"), kind),
    }


def _placeholder(example: Any, kind: Kind) -> str:
    written = kind in ("email", "number", "text", "textarea", "url")
    return f"e.g. {example}" if written and example not in (None, "") else ""


def _declared(asked: fields.Field[Any]) -> tuple[Option, ...]:
    for validator in asked.validators:
        if isinstance(validator, validate.OneOf | validate.ContainsOnly):
            labels = [*validator.labels, *validator.choices][: len(list(validator.choices))]
            named = labels if validator.labels else [""] * len(labels)
            return tuple(Option(str(value), label) for value, label in zip(validator.choices, named, strict=True))
    return tuple(Option(str(value), "") for value in asked.metadata.get("enum", ()))


def _most(asked: fields.Field[Any]) -> int:
    limits = [validator for validator in asked.validators if isinstance(validator, validate.Length)]
    return min((limit.max for limit in limits if limit.max), default=0)
