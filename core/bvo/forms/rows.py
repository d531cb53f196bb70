"""Rows of other entity types as choices, where a field refers to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from marshmallow import ValidationError, fields
from sqlalchemy import inspect
from werkzeug.exceptions import NotFound

from bvo import access, registry
from bvo.database import db
from bvo.entities import MAX_ID, Reference, fetch_page, find, scoped
from bvo.entities.names import NAMES
from bvo_hookspecs import EntityType

from .controls import Option

MAX_OPTIONS = 200
"""So many rows are offered in a list; of more, one types a part of the name."""
SUGGESTIONS = 20
NUMBER = re.compile(r"(?:.*#)?(\d{1,10})")


def referred(model: type[Any] | None, asked: fields.Field[Any], name: str) -> EntityType | None:
    """The type of the rows to which a field refers: a Reference says it itself, a column by its foreign key, and
    `role_ids` by its relationship."""
    if isinstance(asked, Reference):
        return registry.current().get(EntityType, asked.refers_to)
    if model is None:
        return None
    known = registry.current().of(EntityType).values()
    columns = inspect(model).local_table.columns
    if name in columns:
        tables = {key.target_fullname.rpartition(".")[0] for key in columns[name].foreign_keys}
        return next((entity for entity in known if entity.model.__tablename__ in tables), None)
    related = {relationship.mapper.class_ for relationship in inspect(model).relationships}
    named = (entity for entity in known if f"{entity.name}_ids" == name)
    return next((entity for entity in named if entity.model in related), None)


def options(entity: EntityType) -> tuple[Option, ...] | None:
    """Every row that the principal may see, by name; None where they are too many, or may not be seen at all."""
    if not may_see(entity):
        return None
    page = fetch_page(entity, {"page_size": MAX_OPTIONS})
    return None if page.next_after is not None else _options(entity, page.rows)


def search(entity: EntityType, text: str) -> tuple[Option, ...]:
    """A few rows whose name contains the text; the newest where the type has no search, or the text is empty."""
    searchable = text and any(criterion.name == "search" for criterion in entity.filters)
    arguments = {"page_size": SUGGESTIONS, **({"search": text} if searchable else {})}
    return _options(entity, fetch_page(entity, arguments).rows)


def may_see(entity: EntityType) -> bool:
    return access.principal().can(f"{entity.plural}:view")


def written(entity: EntityType | None, row_id: Any) -> str:
    """A row as one types it: `Daily report #7`; only its number where it is gone or may not be seen."""
    if entity is not None and may_see(entity):
        try:
            return _typed(entity, find(entity, int(row_id)))
        except NotFound:
            pass
    return str(row_id)


def resolve(entity: EntityType, text: str) -> int:
    """The id that a number, a whole name or `Daily report #7` stands for. Raises ValidationError."""
    found = _named(entity, text) if may_see(entity) and not text.isdecimal() else []
    if len(found) == 1:
        return int(found[0])
    if (number := NUMBER.fullmatch(text)) and int(number[1]) <= MAX_ID:
        return int(number[1])
    several = f"Several have the name {text!r}. Choose one of the suggestions, or enter its number."
    none = f"There is no {entity.label.lower()} with the name {text!r}. Enter its whole name or its number."
    raise ValidationError(several if found else none)


def label_of(entity: EntityType, row: Any) -> str:
    """What people call a row: its name, its version where that is a text, and whether it is out of use."""
    shown = entity.read_schema._declared_fields
    name = next((str(getattr(row, name)) for name in NAMES if name in shown and getattr(row, name, None)), f"#{row.id}")
    version = getattr(row, "version", None)
    unused = "is_active" in shown and row.is_active is False
    return f"{name}{f' {version}' if isinstance(version, str) else ''}{' (inactive)' if unused else ''}"


def _typed(entity: EntityType, row: Any) -> str:
    label = label_of(entity, row)
    return label if label == f"#{row.id}" else f"{label} #{row.id}"


def _options(entity: EntityType, found: Iterable[Any]) -> tuple[Option, ...]:
    named = [Option(str(row.id), label_of(entity, row)) for row in found]
    return tuple(sorted(named, key=lambda option: option.label.lower()))


def _named(entity: EntityType, text: str) -> Sequence[int]:
    columns = inspect(entity.model).local_table.columns
    name = next((name for name in NAMES if name in columns), None)
    if name is None:
        return []
    query = scoped(entity).where(getattr(entity.model, name) == text).with_only_columns(entity.model.id).limit(2)
    return db.session.scalars(query).all()
