"""What every entity type's service builds on. A service offers the operations whose methods it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, UnprocessableEntity

from bvo import events
from bvo.database import transaction
from bvo_hookspecs import EntityType

from .query import find

M = TypeVar("M")


class Service(Generic[M]):
    """The behaviour of one entity type: every change of state is a method, and one transaction."""

    def __init__(self, entity: EntityType) -> None:
        self.entity = entity

    def get(self, row_id: int) -> M:
        """The row, within the principal's scope. Raises NotFound."""
        row: M = find(self.entity, row_id)
        return row

    def check_unique(self, session: Session, values: Mapping[str, Any], row_id: int | None = None) -> None:
        """Raise Conflict where another row has one of the `values` of a unique column."""
        model = self.entity.model
        for column in model.__table__.columns:
            if not column.unique or values.get(column.key) is None:
                continue
            taken = select(model.id).where(column == values[column.key], model.id != (row_id or 0)).limit(1)
            if session.scalar(taken) is not None:
                raise Conflict(
                    f"{self.entity.label} with the {column.key} {values[column.key]!r} already exists."
                    " Choose another one."
                )


def refuse_when_creating(data: Mapping[str, Any], *names: str) -> None:
    """Raise UnprocessableEntity where `data` has fields that only an existing row can have."""
    if given := [name for name in names if name in data]:
        raise UnprocessableEntity(f"Leave out {', '.join(given)}: only an existing one can be changed so.")


class Creates(Service[M]):
    """Adds `create`."""

    def create(self, data: Mapping[str, Any]) -> M:
        with transaction() as session:
            self.check_unique(session, data)
            row: M = self.entity.model(**data)
            session.add(row)
            session.flush()
            events.emit("created", self.entity, row)
            return row


class Updates(Service[M]):
    """Adds `update`: only the given fields change."""

    def update(self, row_id: int, data: Mapping[str, Any]) -> M:
        with transaction() as session:
            return self.change(session, self.get(row_id), data)

    def change(self, session: Session, row: Any, data: Mapping[str, Any], **metadata: Any) -> M:
        """Set fields of a row in the running transaction; where anything changes, tell of it, with `metadata`."""
        self.check_unique(session, data, row.id)
        before = events.snapshot(self.entity, row)
        for name, value in data.items():
            setattr(row, name, value)
        changed: M = row
        if session.is_modified(row):
            session.flush()
            events.emit("updated", self.entity, row, before=before, metadata=metadata)
        return changed


class Deletes(Service[M]):
    """Adds `delete`; where other rows still point to this one, they stay and the answer is a conflict."""

    def delete(self, row_id: int) -> None:
        with transaction() as session:
            row = self.get(row_id)
            before = events.snapshot(self.entity, row)
            session.delete(row)
            try:
                session.flush()
            except IntegrityError:
                raise Conflict(
                    f"{self.entity.label} {row_id} is still used by others, which must be deleted first."
                ) from None
            events.emit("deleted", self.entity, row, before=before)
