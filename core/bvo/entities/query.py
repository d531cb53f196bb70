"""Reading entities: always within the principal's scope, always bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import lazyload
from werkzeug.exceptions import NotFound, UnprocessableEntity

from bvo import access, registry
from bvo.database import db
from bvo_hookspecs import EntityType

from .orders import behind_row, order_of

MAX_COUNT = 10_000
"""Rows are counted up to here: an exact count of a large table costs more than anyone reads from it."""

TOO_DEEP = f"Pages end behind the {MAX_COUNT:,}th row. Follow the Link header, or narrow the list by its filters."


@dataclass(frozen=True)
class Page:
    """A page of rows, newest first. `total` is capped at MAX_COUNT + 1; `next_after` is None on the last page.

    `searched_to` is set where not all rows were looked through, but only those since then: `next_after` leads on.
    """

    rows: list[Any]
    page: int
    page_size: int
    total: int
    next_after: int | None
    searched_to: datetime | None = None

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.page_size))


def scoped(entity: EntityType) -> Select[Any]:
    """The query for every row of the type that the principal may see."""
    return entity.scope(access.principal(), select(entity.model))


def narrowed(entity: EntityType, arguments: Mapping[str, Any]) -> Select[Any]:
    """The query for the rows that the principal may see and that fit the type's filters among `arguments`."""
    query = scoped(entity)
    for criterion in entity.filters:
        if arguments.get(criterion.name) is not None:
            query = criterion.apply(query, arguments[criterion.name])
    return query


def bare(query: Select[Any]) -> Select[Any]:
    """The query without what belongs to its rows, which is then read row by row where it is asked for."""
    return query.options(lazyload("*"))


def count(entity: EntityType, query: Select[Any]) -> int:
    """How many rows the query has, counted up to MAX_COUNT + 1."""
    some = _ids(entity, query).limit(MAX_COUNT + 1).subquery()
    return db.session.scalar(select(func.count()).select_from(some)) or 0


def find(entity: EntityType, row_id: int) -> Any:
    """The row with this id. Raises NotFound where there is none, or none that the principal may see."""
    row = db.session.scalars(scoped(entity).where(entity.model.id == row_id)).one_or_none()
    if row is None:
        raise NotFound(f"{entity.label} not found: there is none with the id {row_id}, or you may not see it.")
    return row


def fetch_page(entity: EntityType, arguments: Mapping[str, Any]) -> Page:
    """One page of the filtered list: by number, or (fast at any depth) the rows that follow the id `after`.

    `arguments` are those of `query_schema`: the type's filters, `page_size`, and `page` or `after`. A service that has
    a method `page(arguments)` fetches its type's pages itself.
    """
    own = getattr(registry.current().services[entity.service], "page", None)
    page: Page = own(arguments) if own else _fetch(entity, arguments)
    return page


def offset(arguments: Mapping[str, Any]) -> int:
    """The rows before the page; none where a cursor leads to it. Raises UnprocessableEntity beyond MAX_COUNT."""
    if arguments.get("after") is not None:
        return 0
    rows: int = (arguments.get("page", 1) - 1) * arguments["page_size"]
    if rows > MAX_COUNT:
        refused = UnprocessableEntity()
        refused.data = {"messages": {"query": {"page": [TOO_DEEP]}}}  # type: ignore[attr-defined]
        raise refused
    return rows


def _fetch(entity: EntityType, arguments: Mapping[str, Any]) -> Page:
    page, page_size, after = arguments.get("page", 1), arguments["page_size"], arguments.get("after")
    query = narrowed(entity, arguments)
    total = count(entity, query)
    order = order_of(entity, arguments)
    ordered = query.where(*behind_row(entity, order, after)).order_by(*order.by(entity.model))
    found = list(db.session.scalars(ordered.offset(offset(arguments)).limit(page_size + 1)).unique())
    rows = found[:page_size]
    return Page(rows, page, page_size, total, rows[-1].id if len(found) > page_size else None)


def _ids(entity: EntityType, query: Select[Any]) -> Select[Any]:
    return query.with_only_columns(entity.model.id, maintain_column_froms=True)
