"""What can be done with many rows at once: the type's actions and its deletion, each row as if it were the only one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from bvo import access, registry
from bvo.database import db
from bvo.dumps import shown
from bvo.entities import bare, name_of, scoped
from bvo_hookspecs import EntityType

from .errors import detail

log = logging.getLogger(__name__)

MAX_ROWS = 1_000
BUDGET_SECONDS = 20.0
"""What was not reached in this time is left for another go: a request must end before a proxy gives up on it."""


@dataclass(frozen=True)
class Deed:
    """Something that the principal may do with rows of the type. `applies` tells whether it makes sense for a row."""

    name: str
    label: str
    permission: str
    removes: bool = False
    applies: Callable[[Mapping[str, Any]], bool] = lambda row: True


@dataclass(frozen=True)
class Candidate:
    """A row that was chosen, and whether the deed applies to it now."""

    id: int
    row: Mapping[str, Any]
    applies: bool

    @property
    def name(self) -> str:
        return name_of(self.row) or f"#{self.id}"


@dataclass
class Outcome:
    """How it went: `made` has what came of a row, `failed` the reasons, `left` the rows that were not reached."""

    done: list[int] = field(default_factory=list)
    made: dict[int, int] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    left: list[int] = field(default_factory=list)


def deeds(entity: EntityType) -> list[Deed]:
    """What the principal may do with rows of this type."""
    every = [
        Deed(
            name=action.name,
            label=action.label,
            permission=f"{entity.plural}:{action.operation}",
            applies=action.applies,
        )
        for action in entity.actions
        if action.bulk
    ]
    if entity.has("delete"):
        every.append(Deed(name="delete", label="Delete", permission=f"{entity.plural}:delete", removes=True))
    return [deed for deed in every if access.principal().can(deed.permission)]


def chosen(entity: EntityType, ids: Iterable[int]) -> list[Any]:
    """The rows with these ids that the principal may see, newest first, without what belongs to them."""
    query = scoped(entity).where(entity.model.id.in_(list(ids)[:MAX_ROWS])).order_by(entity.model.id.desc())
    return list(db.session.scalars(bare(query)))


def candidates(entity: EntityType, deed: Deed, rows: Iterable[Any]) -> list[Candidate]:
    """These rows, and whether the deed applies to each of them."""
    each = ((row.id, shown(entity.read_schema, row)) for row in rows)
    return [Candidate(row_id, row, deed.applies(row)) for row_id, row in each]


def carry_out(entity: EntityType, deed: Deed, ids: list[int]) -> Outcome:
    """Do it with one row after the other, through the service; each is a transaction of its own."""
    access.require(deed.permission)
    run = getattr(registry.current().services[entity.service], deed.name)
    outcome, until = Outcome(), time.monotonic() + BUDGET_SECONDS
    for position, row_id in enumerate(ids):
        if time.monotonic() > until:
            outcome.left = ids[position:]
            break
        _try(run, row_id, outcome, db.session)
    return outcome


def _try(run: Callable[[int], Any], row_id: int, outcome: Outcome, session: Session) -> None:
    try:
        row = run(row_id)
        outcome.done.append(row_id)
        if row is not None and row.id != row_id:
            outcome.made[row_id] = row.id
    except HTTPException as error:
        session.rollback()
        outcome.failed[row_id] = detail(error)
    except Exception:
        session.rollback()
        log.exception("An action on many rows failed at the row %s", row_id)
        outcome.failed[row_id] = "The server failed at this row. It was logged; the row was not changed."
    finally:
        session.expunge_all()
