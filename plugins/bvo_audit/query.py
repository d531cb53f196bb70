"""Reading the log: an answer costs the same however long the log is.

The list is in the order of time. Each filter but the search has an index in this order, so one of them, with
or without a range of time, is answered from its index. No index serves several of them, or a search: then an answer
looks through LOOKED_THROUGH events of the filter that leads furthest back, tells how far it got, and its cursor goes on
from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, false, func, or_, select, tuple_

from bvo.database import db
from bvo.entities import MAX_COUNT, Page, offset, scoped
from bvo.event_log import LoggedEvent
from bvo_hookspecs import EntityType

LOOKED_THROUGH = 15_000
"""Events that one answer looks through at most: some hundredths of a second for a search, less for the others."""


@dataclass(frozen=True)
class Criterion:
    """What a filter asks of a row: `holds` is made from the row's `columns` and the filter's value."""

    columns: tuple[str, ...]
    holds: Callable[[Any, Any], ColumnElement[bool]]


def _equal(column: str) -> Criterion:
    return Criterion((column,), lambda row, value: getattr(row, column) == value)


def _is_action(row: Any, value: str) -> ColumnElement[bool]:
    """Clients of the reference send an action type as `action`, too; an action has a dot: `job.create`."""
    found: ColumnElement[bool] = (row.action if "." in value else row.action_type) == value
    return found


def _text_in(*columns: str) -> Criterion:
    def holds(row: Any, value: str) -> ColumnElement[bool]:
        return or_(*(getattr(row, column).icontains(value, autoescape=True) for column in columns))

    return Criterion(columns, holds)


TIMES = ("from_time", "to_time", "from", "to")
SEARCH = _text_in("message", "entity_name", "actor_username", "action")
SINCE = Criterion(("timestamp",), lambda row, value: row.timestamp >= value)
UNTIL = Criterion(("timestamp",), lambda row, value: row.timestamp <= value)
BY = _equal("actor_username")
CRITERIA = {
    "search": SEARCH,
    "q": SEARCH,
    "from_time": SINCE,
    "to_time": UNTIL,
    "from": SINCE,
    "to": UNTIL,
    "user": BY,
    "username": BY,
    "user_id": _equal("actor_user_id"),
    "action": Criterion(("action", "action_type"), _is_action),
    "action_type": _equal("action_type"),
    "entity_type": _equal("entity_type"),
    "entity_id": _equal("entity_id"),
}
INDEXED = (
    ("entity_id", "entity_type"),
    ("user",),
    ("username",),
    ("user_id",),
    ("action",),
    ("entity_type",),
    ("action_type",),
)
"""Filters that one index serves, where the first of them is given; those that mostly leave the fewest events first."""

POSITION = (LoggedEvent.timestamp, LoggedEvent.id)


def fetch_page(entity: EntityType, arguments: Mapping[str, Any]) -> Page:
    """One page of the filtered log, newest first; see `bvo.entities.fetch_page`."""
    given = {name: arguments[name] for name in CRITERIA if arguments.get(name) is not None}
    within = scoped(entity).where(*_all(LoggedEvent, given, TIMES))
    indexed: list[Iterable[str]] = [names for names in INDEXED if names[0] in given] or [()]
    if given.keys() <= {*TIMES, *indexed[0]}:
        return _from_index(within.where(*_all(LoggedEvent, given, indexed[0])), arguments)
    following = within.where(*_behind(arguments.get("after")))
    return _looked_through([following.where(*_all(LoggedEvent, given, names)) for names in indexed], given, arguments)


def _from_index(query: Select[Any], arguments: Mapping[str, Any]) -> Page:
    """The page out of all events of `query`."""
    total = db.session.scalar(select(func.count()).select_from(_positions(query).limit(MAX_COUNT + 1).subquery()))
    following = _positions(query.where(*_behind(arguments.get("after")))).with_only_columns(LoggedEvent.id)
    ids = db.session.scalars(following.offset(offset(arguments)).limit(arguments["page_size"] + 1))
    return _page(list(ids), total or 0, None, arguments)


def _looked_through(queries: list[Select[Any]], given: Mapping[str, Any], arguments: Mapping[str, Any]) -> Page:
    """The page out of as many events as one answer looks through, of the query that needs the fewest for the same."""
    query, last = _furthest(queries)
    row = _newest_first(query.with_only_columns(*_columns(given))).limit(LOOKED_THROUGH).subquery().c
    matching = _newest_first(select(row.id).where(*_all(row, given, CRITERIA)), row)
    start, page_size = offset(arguments), arguments["page_size"]
    ids = list(db.session.scalars(matching.limit(MAX_COUNT + page_size + 1)))
    return _page(ids[start : start + page_size + 1], min(len(ids), MAX_COUNT + 1), last, arguments)


def _page(ids: list[int], total: int, last: Row[Any] | None, arguments: Mapping[str, Any]) -> Page:
    """The page with the first of these events; `last` is the last one that was looked through, None where it is all."""
    page_size = arguments["page_size"]
    shown = ids[:page_size]
    rows = db.session.scalars(_newest_first(select(LoggedEvent).where(LoggedEvent.id.in_(shown)))).all()
    more = shown[-1] if len(ids) > page_size else last and last.id
    return Page(list(rows), arguments.get("page", 1), page_size, total, more, last and last.timestamp)


def _furthest(queries: list[Select[Any]]) -> tuple[Select[Any], Row[Any] | None]:
    """The query whose events lead furthest back, and the last one that is looked through; None where that is all."""
    reached = []
    for query in queries:
        last = db.session.execute(_positions(query).offset(LOOKED_THROUGH - 1).limit(2)).all()
        if len(last) < 2:
            return query, None
        reached.append((query, last[0]))
    return min(reached, key=lambda pair: tuple(pair[1]))


def _behind(after: int | None) -> list[ColumnElement[bool]]:
    """What follows the event with this id in the list; where it is gone, the next older id stands for it."""
    if after is None:
        return []
    known = select(*POSITION).where(LoggedEvent.id <= after).order_by(LoggedEvent.id.desc()).limit(1)
    anchor = db.session.execute(known).one_or_none()
    if anchor is None:
        return [false()]
    return [tuple_(*POSITION) < tuple(anchor) if anchor.id == after else tuple_(*POSITION) <= tuple(anchor)]


def _all(row: Any, given: Mapping[str, Any], names: Iterable[str]) -> list[ColumnElement[bool]]:
    return [CRITERIA[name].holds(row, given[name]) for name in names if name in given]


def _columns(given: Iterable[str]) -> list[Any]:
    """What the criteria read, and no more: where an index has it all, the rows themselves are not read."""
    names = {"timestamp", "id"} | {column for name in given for column in CRITERIA[name].columns}
    return [getattr(LoggedEvent, name) for name in sorted(names)]


def _positions(query: Select[Any]) -> Select[Any]:
    """Where the query's events stand in the list. Ordered also where it is only counted, so that an index is walked."""
    return _newest_first(query.with_only_columns(*POSITION))


def _newest_first(query: Any, row: Any = LoggedEvent) -> Select[Any]:
    return query.order_by(row.timestamp.desc(), row.id.desc())  # type: ignore[no-any-return]
