"""Fields of a row, prepared for a template: what kind of value it is, and what it links to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flask import url_for
from markupsafe import Markup, escape
from marshmallow import Schema, fields

from bvo import access, registry
from bvo.dumps import fields_of
from bvo.entities import name_of
from bvo.events import MASK
from bvo.forms import choices_of
from bvo_hookspecs import EntityType

from .references import referred
from .text import moment, words

Kind = Literal[
    "choice", "code", "flag", "grid", "link", "long", "masked",
    "none", "number", "size", "state", "tags", "text", "time", "tree",
]  # fmt: skip
LONG_TEXT = 100
LONG_WORD = 20
BRIEF_TEXT = 18


@dataclass(frozen=True)
class Value:
    """One field. `block` needs the whole width; `alarming` says that something went wrong."""

    name: str
    label: str
    kind: Kind
    value: Any
    href: str = ""

    @property
    def block(self) -> bool:
        return self.kind in ("tree", "grid", "long")

    @property
    def rank(self) -> int:
        """What a reader looks for first: what it belongs to, then what it is, then when."""
        if self.kind == "link" or self.name.endswith("_id"):
            return 0
        return 2 if self.kind == "time" or self.name.endswith("_at") else 1

    @property
    def short(self) -> bool:
        """True for text without long words: a narrow column breaks it between them only."""
        words_of_it = str(self.value).split()
        return self.kind in ("choice", "link", "text") and all(len(word) <= LONG_WORD for word in words_of_it)

    @property
    def brief(self) -> bool:
        """True for a text that is not broken at all where there is room."""
        return self.kind in ("choice", "link", "text") and len(str(self.value)) <= BRIEF_TEXT

    @property
    def alarming(self) -> bool:
        return self.name.startswith("error") and self.kind in ("text", "long")


def path_of(entity: EntityType) -> str:
    """The type's part of an address: `queue-items`."""
    return entity.plural.replace("_", "-")


def detail_url(entity: EntityType, row_id: int) -> str:
    return url_for("webui.detail", entity=path_of(entity), row_id=row_id)


def linked(text: Any, entity: str, row_id: Any, css_class: str = "") -> Markup:
    """The text as a link to that row, for those who may see such rows. A filter: `{{ name|linked("job", 7) }}`."""
    kind = registry.current().of(EntityType).get(entity)
    href = _visible_url(kind, row_id) if kind and row_id is not None else ""
    if not href:
        return escape(text)
    return Markup('<a href="{}"{}>{}</a>').format(
        href, Markup(' class="{}"').format(css_class) if css_class else "", text
    )


def show(schema: type[Schema], row: Mapping[str, Any], names: list[str] | None = None) -> list[Value]:
    """The fields of a dumped row, or those of `names`. What another field tells is left out."""
    declared = fields_of(schema)
    wanted = names or [name for name in declared if not _told_elsewhere(name, row)]
    return [_show(name, declared.get(name), row) for name in wanted]


def _told_elsewhere(name: str, row: Mapping[str, Any]) -> bool:
    """`process_id` beside `process` says nothing new, and `package_name` is the text of the link at `package_id`."""
    base, _, kind = name.rpartition("_")
    return (kind == "id" and bool(row.get(base))) or (kind == "name" and bool(row.get(f"{base}_id")))


def _show(name: str, field: fields.Field[Any] | None, row: Mapping[str, Any]) -> Value:
    value = row.get(name)
    label = str((field.metadata if field else {}).get("label") or words(name))
    if value is None or value in ("", [], {}):
        return Value(name, label, "none", None)
    if isinstance(value, Mapping):
        return _nested(name, label, field, value)
    if not _is_state(name) and (chosen := _chosen(name, field, value)):
        return Value(name, label, "choice", chosen)
    if linked := _reference(name, value):
        return Value(name, label, "link", row.get(f"{name[:-3]}_name") or f"#{value}", linked)
    return Value(name, label, _kind(name, field, value), value)


def _kind(name: str, field: fields.Field[Any] | None, value: Any) -> Kind:
    if value == MASK:
        return "masked"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "size" if name.endswith("_bytes") else "number"
    if isinstance(value, list | tuple):
        return _list_kind(value)
    if (isinstance(field, fields.DateTime) or name.endswith("_at")) and moment(value):
        return "time"
    if _is_state(name):
        return "state"
    if name.endswith(("sha256", "digest", "_path", "_key", "_hash")):
        return "code"
    return "long" if len(str(value)) > LONG_TEXT or "\n" in str(value) else "text"


def _is_state(name: str) -> bool:
    return name in ("status", "state") or name.endswith(("_status", "_state"))


def _chosen(name: str, field: fields.Field[Any] | None, value: Any) -> str:
    """One of a few values that the field may have, as a form calls it, or a type; empty for anything else."""
    if not isinstance(value, str):
        return ""
    for option in choices_of(field) if field else ():
        if option.value == value:
            return option.label or words(value)
    return words(value) if name.endswith("_type") and value.isidentifier() else ""


def _list_kind(items: Sequence[Any]) -> Kind:
    """Words stand side by side; rows that have the same plain fields are a table."""
    if all(isinstance(item, str) for item in items):
        return "tags"
    if not all(isinstance(item, Mapping) and list(item) == list(items[0]) for item in items):
        return "tree"
    plain = all(not isinstance(value, Mapping | list) for item in items for value in item.values())
    return "grid" if plain else "tree"


def _nested(name: str, label: str, field: fields.Field[Any] | None, value: Mapping[str, Any]) -> Value:
    """Another entity, by its name and with a link to it for those who may see it; anything else is a tree.

    The field has its name, or its read schema, or a shorter one that the read schema adds to.
    """
    if "id" not in value:
        return Value(name, label, "tree", value)
    schema = type(field.schema) if isinstance(field, fields.Nested) else None
    for entity in registry.current().of(EntityType).values():
        if entity.name == name or (schema and issubclass(entity.read_schema, schema)):
            text = name_of(value) or f"#{value['id']}"
            return Value(name, label, "link", text, _visible_url(entity, value["id"]))
    return Value(name, label, "tree", value)


def _reference(name: str, value: Any) -> str:
    """The address behind `process_id: 7`, where there are processes and the principal may see them."""
    entity = referred(name) if isinstance(value, int) else None
    return detail_url(entity, value) if entity else ""


def _visible_url(entity: EntityType, row_id: int) -> str:
    return detail_url(entity, row_id) if access.principal().can(f"{entity.plural}:view") else ""
