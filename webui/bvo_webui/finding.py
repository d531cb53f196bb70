"""Finding anything by its name: the pages, and the rows of every type that the principal may view.

Each type is asked for names that begin with the text, which an index of the name answers, and for names that contain it
among the newest RECENT rows. So the cost is the same however many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import jsonify, render_template, request
from sqlalchemy import ColumnElement, and_, select, union_all
from werkzeug.wrappers import Response

from bvo import access, registry
from bvo.access import requires
from bvo.database import db
from bvo.dumps import dumper
from bvo.entities import MAX_ID, name_of, scoped
from bvo.entities.indexes import ordered_columns
from bvo.entities.names import NAMES
from bvo_hookspecs import EntityType

from .offers import new_url
from .shell import Shell, title_of
from .text import lower_first
from .values import detail_url

MAX_LENGTH = 100
RECENT = 1_000
ROWS_OF_A_TYPE, RESULTS = 5, 30
LAST = "\uffff"
"""Sorts behind every letter."""


@dataclass(frozen=True)
class Found:
    """A page, or a row of a type."""

    label: str
    kind: str
    url: str


@requires(None)
def page() -> str:
    """The results as a page, for those without scripts."""
    text = request.args.get("q", "")
    return render_template("webui/search.html", q=text, found=find(text))


@requires(None)
def results() -> Response:
    """The results for the palette."""
    found = find(request.args.get("q", ""))
    return jsonify({"results": [{"label": each.label, "kind": each.kind, "url": each.url} for each in found]})


def find(text: str) -> list[Found]:
    """What has this name, or one that begins with it; then what contains it. Pages come first."""
    text = text.strip()[:MAX_LENGTH]
    found = [*_pages(text), *_rows(text)] if text else list(_pages(""))
    ranked = sorted(found, key=lambda each: _rank(each.label.lower(), text.lower()))
    return ranked[:RESULTS]


def _rank(label: str, text: str) -> int:
    if label == text:
        return 0
    return 1 if label.startswith(text) else 2


def _pages(text: str) -> Iterator[Found]:
    words = text.lower().split()
    for link in Shell().navigation:
        if all(word in link.label.lower() for word in words):
            yield Found(link.label, "Page", link.url)
    for entity in _visible():
        label = f"New {lower_first(entity.label)}"
        if words and all(word in label.lower() for word in words) and (url := new_url(entity)):
            yield Found(label, "Page", url)


def _rows(text: str) -> Iterator[Found]:
    number = text.lstrip("#")
    for entity in _visible():
        if number.isascii() and number.isdigit() and int(number) <= MAX_ID and entity.nav:
            yield from _shown(entity, [int(number)])
        if column := _name_column(entity):
            yield from _shown(entity, _ids(entity, column, text))


def _visible() -> list[EntityType]:
    can = access.principal().can
    return [each for each in registry.current().of(EntityType).values() if can(f"{each.plural}:view")]


def _name_column(entity: EntityType) -> Any:
    """The column that holds what people call the rows; None where it is made of others."""
    columns = entity.model.__table__.columns
    name = next((name for name in NAMES if name in columns and hasattr(entity.model, name)), "")
    return getattr(entity.model, name) if name else None


def _ids(entity: EntityType, column: Any, text: str) -> list[int]:
    key = entity.model.id
    ids: list[int] = []
    if column.key in ordered_columns(entity.model.__table__):
        each = (select(key).where(begins).order_by(column, key) for begins in _spellings(column, text))
        ranges = (query.limit(ROWS_OF_A_TYPE).subquery() for query in each)  # of several at once, all would be read
        ids += db.session.scalars(union_all(*(select(found.c.id) for found in ranges)).limit(ROWS_OF_A_TYPE))
    recent = select(key, column.label("called")).order_by(key.desc()).limit(RECENT).subquery()
    contains = select(recent.c.id).where(recent.c.called.icontains(text, autoescape=True)).limit(ROWS_OF_A_TYPE)
    ids += db.session.scalars(contains)
    return list(dict.fromkeys(ids))[: 2 * ROWS_OF_A_TYPE]


def _spellings(column: Any, text: str) -> Iterator[ColumnElement[bool]]:
    """Names that begin with the text in its usual spellings: ranges, so that an index of any collation finds them."""
    for spelling in sorted({text, text.lower(), text.upper(), text[:1].upper() + text[1:], text.title()}):
        yield and_(column >= spelling, column < spelling + LAST, column.startswith(spelling, autoescape=True))


def _shown(entity: EntityType, ids: list[int]) -> Iterator[Found]:
    """The rows of these that the principal may see."""
    if not ids:
        return
    rows = db.session.scalars(scoped(entity).where(entity.model.id.in_(ids))).unique()
    for row in map(dumper(entity.read_schema), rows):
        name = name_of(row)
        label = str(name) if name else f"{entity.label} #{row['id']}"
        yield Found(label, entity.label if name else title_of(entity), detail_url(entity, row["id"]))
