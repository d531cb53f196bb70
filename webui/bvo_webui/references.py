"""What a field such as `queue_id` refers to, and the names of those rows: people know no numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import InstrumentedAttribute

from bvo import access, registry
from bvo.database import db
from bvo.entities import scoped
from bvo.entities.names import NAMES
from bvo_hookspecs import EntityType


def referred(name: str) -> EntityType | None:
    """The type that `queue_id`, or `current_job_id`, refers to, where the principal may see such rows."""
    if not name.endswith("_id"):
        return None
    known, base = registry.current().of(EntityType), name.removesuffix("_id")
    entity = known.get(base) or known.get(base.rpartition("_")[2])
    return entity if entity and access.principal().can(f"{entity.plural}:view") else None


def name_column(entity: EntityType) -> InstrumentedAttribute[Any] | None:
    """The column that has the names of such rows."""
    return next((getattr(entity.model, each) for each in NAMES if each in entity.model.__table__.columns), None)


def with_names(rows: Iterable[Mapping[str, Any]], fields: Iterable[str]) -> list[dict[str, Any]]:
    """These rows, with `queue_name` beside each `queue_id` among the fields; one query for each of the fields."""
    found = [dict(row) for row in rows]
    for name in fields:
        named, entity = f"{name[:-3]}_name", referred(name)
        if entity and any(row.get(name) and not row.get(named) for row in found):
            names = _names(entity, {row[name] for row in found if isinstance(row.get(name), int)})
            found = [{**row, named: row.get(named) or names.get(row.get(name))} for row in found]
    return found


def _names(entity: EntityType, ids: set[int]) -> dict[Any, str]:
    column = name_column(entity)
    if column is None or not ids:
        return {}
    of_these = scoped(entity).with_only_columns(entity.model.id, column).where(entity.model.id.in_(ids))
    return {row_id: name for row_id, name in db.session.execute(of_these.order_by(None)) if name}
