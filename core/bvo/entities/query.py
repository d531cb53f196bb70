"""Reading entities: always within the principal's scope, always bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from werkzeug.exceptions import NotFound

from bvo import access
from bvo.database import db
from bvo_hookspecs import EntityType

MAX_COUNT = 10_000
"""Rows are counted up to here: an exact count of a large table costs more than anyone reads from it."""


@dataclass(frozen=True)
class Page:
    """A page of rows, newest first. `total` is capped at MAX_COUNT + 1; `next_after` is None on the last page."""

    rows: list[Any]
    page: int
    page_size: int
    total: int
    next_after: int | None

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.page_size))


def scoped(entity: EntityType) -> Select[Any]:
    """The query for every row of the type that the principal may see."""
    return entity.scope(access.principal(), select(entity.model))


def find(entity: EntityType, row_id: int) -> Any:
    """The row with this id. Raises NotFound where there is none, or none that the principal may see."""
    row = db.session.scalars(scoped(entity).where(entity.model.id == row_id)).one_or_none()
    if row is None:
        raise NotFound(f"{entity.label} not found: there is none with the id {row_id}, or you may not see it.")
    return row


def fetch_page(entity: EntityType, arguments: Mapping[str, Any]) -> Page:
    """One page of the filtered list: by number, or (fast at any depth) the rows that follow the id `after`.

    `arguments` are those of `query_schema`: the type's filters, `page_size`, and `page` or `after`.
    """
    page, page_size, after = arguments.get("page", 1), arguments["page_size"], arguments.get("after")
    query = scoped(entity)
    for criterion in entity.filters:
        if arguments.get(criterion.name) is not None:
            query = criterion.apply(query, arguments[criterion.name])
    total = db.session.scalar(select(func.count()).select_from(_ids(entity, query).limit(MAX_COUNT + 1).subquery()))
    ordered = query.order_by(entity.model.id.desc()).limit(page_size + 1)
    if after is not None:
        ordered = ordered.where(entity.model.id < after)
    elif page > 1:
        ordered = ordered.offset((page - 1) * page_size)
    found = list(db.session.scalars(ordered).unique())
    rows = found[:page_size]
    return Page(rows, page, page_size, total or 0, rows[-1].id if len(found) > page_size else None)


def _ids(entity: EntityType, query: Select[Any]) -> Select[Any]:
    return query.with_only_columns(entity.model.id, maintain_column_froms=True)
