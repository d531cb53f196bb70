"""The list of every entity type: what the address asks for, and the page that shows it.

Filters, order and place are in the address. Which columns are shown is remembered in a cookie of each list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import make_response, redirect, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from bvo.access import requires
from bvo.dumps import dumper
from bvo.entities import Order, Slice, cut, name_of, order_of, query_schema, sortable
from bvo.entities.query import MAX_COUNT
from bvo_hookspecs import EntityType

from . import beginnings
from .bulk_actions import Deed, deeds
from .choices import Choice, remember
from .choices import of as columns_of
from .controls import Control, controls, given
from .headers import fragment
from .offers import new_url, visible
from .references import with_names
from .shell import Shell, list_url, title_of
from .text import thousands
from .values import Value, detail_url, path_of, show

FIRST_CONTROLS = 4
"""Filters that are always in view; the others are folded."""

PLACES = ("before", "after")


class Wrong(Exception):
    """Filters whose values are none; `messages` has the reasons by name."""

    def __init__(self, messages: Mapping[str, Any]) -> None:
        super().__init__("values of filters")
        self.messages = messages


@dataclass(frozen=True)
class Question:
    """What the address asks of the list."""

    entity: EntityType
    entered: Mapping[str, Any]
    arguments: Mapping[str, Any]
    order: Order
    sorted_by: str
    before: str | None
    after: str | None

    @property
    def query(self) -> dict[str, Any]:
        """The filters and the order, for links to the same list."""
        paging = {name: request.args[name] for name in ("page_size",) if request.args.get(name)}
        return {**self.entered, **paging, **({"sort": self.sorted_by} if self.sorted_by else {})}

    @property
    def place(self) -> dict[str, str]:
        return {name: value for name in PLACES if (value := getattr(self, name)) is not None}

    @property
    def url(self) -> str:
        return url_for("webui.list", entity=path_of(self.entity), **self.query)

    def cut(self) -> Slice:
        try:
            return cut(self.entity, self.arguments, self.order, before=self.before, after=self.after)
        except (ValueError, OverflowError):
            raise BadRequest("The address names a place in this list that is none. Open the list anew.") from None


@dataclass(frozen=True)
class Row:
    id: int
    url: str
    name: str
    cells: list[Value]
    leading: str


@dataclass(frozen=True)
class Heading:
    """A column's title; `url` sorts by it, where an index allows that, and `sorted` is how the list is sorted now."""

    label: str
    kind: str
    url: str = ""
    sorted: str = ""


@dataclass(frozen=True)
class Listing:
    """The list, as its template shows it."""

    question: Question
    slice: Slice | None = None
    errors: Mapping[str, Any] | None = None
    first_controls = FIRST_CONTROLS

    @property
    def entity(self) -> EntityType:
        return self.question.entity

    @property
    def title(self) -> str:
        return title_of(self.entity)

    @property
    def total(self) -> str:
        """How many rows there are, `10,000+` where they are more; empty where that is not known."""
        total = self.slice.total if self.slice else None
        if total is None:
            return ""
        return thousands(total) if total <= MAX_COUNT else f"{thousands(MAX_COUNT)}+"

    @property
    def sought(self) -> str:
        """The text that rows are searched for."""
        return str(self.question.entered.get("search", ""))

    @property
    def url(self) -> str:
        return list_url(self.entity)

    @property
    def new(self) -> str:
        return new_url(self.entity)

    @property
    def empty_template(self) -> str:
        return beginnings.template_of(self.entity)

    @property
    def command(self) -> str:
        return beginnings.command(self.entity, Shell().server_url)

    @cached_property
    def controls(self) -> list[Control]:
        return controls(self.entity, self.question.entered, self.errors or {})

    @property
    def more(self) -> bool:
        return any(control.value or control.error for control in self.controls[FIRST_CONTROLS:])

    @property
    def filtered(self) -> bool:
        return bool(self.question.entered)

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """The filters and the order, as fields of another form."""
        return _pairs(self.question.query)

    @cached_property
    def choices(self) -> list[Choice]:
        return columns_of(self.entity)

    @cached_property
    def columns(self) -> list[str]:
        return [choice.name for choice in self.choices if choice.shown]

    @cached_property
    def rows(self) -> list[Row]:
        dump = dumper(self.entity.read_schema)
        dumped = with_names(map(dump, self.slice.rows if self.slice else ()), self.columns)
        return [row_of(self.entity, row, self.columns) for row in dumped]

    @cached_property
    def headings(self) -> list[Heading]:
        can_sort, order = sortable(self.entity, self.question.arguments), self.question.order
        found = []
        for position, choice in enumerate(self.choices_shown):
            kinds = {row.cells[position].kind for row in self.rows}
            kind = "number" if kinds & {"number", "size"} else ""
            is_current = order.column == choice.name
            wanted = order.reversed if is_current else Order(column=choice.name, descending=False)
            url = self._link(sort=wanted.text) if choice.name in can_sort else ""
            sorted_now = ("descending" if order.descending else "ascending") if url and is_current else ""
            found.append(Heading(choice.label, kind, url, sorted_now))
        return found

    @property
    def choices_shown(self) -> list[Choice]:
        return [choice for choice in self.choices if choice.shown]

    @cached_property
    def deeds(self) -> list[Deed]:
        return deeds(self.entity)

    @property
    def bulk_url(self) -> str:
        return url_for("webui.bulk", entity=path_of(self.entity))

    @property
    def export_url(self) -> str:
        return url_for("webui.export", entity=path_of(self.entity), **self.question.query)

    @property
    def poll_url(self) -> str:
        query = {**self.question.query, **self.question.place}
        return url_for("webui.rows", entity=path_of(self.entity), **query)

    @property
    def newest(self) -> str:
        return self._link() if self.question.place else ""

    @property
    def newer(self) -> str:
        return self._link(before=self.slice.before) if self.slice and self.slice.before else ""

    @property
    def older(self) -> str:
        return self._link(after=self.slice.after) if self.slice and self.slice.after else ""

    @property
    def way(self) -> tuple[str, str, str]:
        """What the links to the first, the previous and the following rows are called."""
        return ("First", "Previous", "Next") if self.question.sorted_by else ("Newest", "Newer", "Older")

    def _link(self, **more: Any) -> str:
        return url_for("webui.list", entity=path_of(self.entity), **{**self.question.query, **more})


def row_of(entity: EntityType, row: Mapping[str, Any], columns: list[str]) -> Row:
    """A row's cells; the first of them that names the row leads to its page."""
    cells = show(entity.read_schema, row, columns)
    name = name_of(row)
    leading = next((cell.name for cell in cells if cell.kind == "text" and cell.value == name), cells[0].name)
    return Row(row["id"], detail_url(entity, row["id"]), name or f"#{row['id']}", cells, leading)


@requires(None)
def show_list(entity: str) -> Response:
    kind = visible(entity)
    if "columns" in request.args:
        return remember(kind, redirect(_without("columns")))
    try:
        asked = ask(kind)
    except Wrong as wrong:
        nothing = Question(kind, given(kind, request.args), {}, Order(), "", None, None)
        return make_response(_page(Listing(nothing, errors=wrong.messages)), 422)
    return make_response(_page(Listing(asked, asked.cut())))


@requires(None)
def rows(entity: str) -> Response:
    """The table alone, for a page that asks again."""
    asked = ask_or_refuse(visible(entity))
    return fragment(render_template("webui/_rows.html", list=Listing(asked, asked.cut())))


def ask(entity: EntityType) -> Question:
    """What the address asks of the list. Raises Wrong for filters, and BadRequest for anything else in it."""
    entered = given(entity, request.args)
    paging = {name: request.args[name] for name in ("page_size",) if request.args.get(name)}
    try:
        arguments = query_schema(entity).load({**entered, **paging})
    except ValidationError as error:
        messages = error.messages if isinstance(error.messages, dict) else {}
        if unknown := set(messages) - set(entered):
            raise BadRequest(f"The address has a value for {', '.join(sorted(unknown))} that is none.") from None
        raise Wrong(messages) from None
    sorted_by = request.args.get("sort", "")
    order = _order(entity, sorted_by, arguments)
    before, after = (request.args.get(name) or None for name in PLACES)
    return Question(entity, entered, arguments, order, sorted_by and order.text, before, after)


def ask_or_refuse(entity: EntityType) -> Question:
    """As `ask`, for what has no form to say it in. Raises BadRequest."""
    try:
        return ask(entity)
    except Wrong as wrong:
        raise BadRequest(f"The address has a value for {', '.join(sorted(wrong.messages))} that is none.") from None


def _order(entity: EntityType, text: str, arguments: Mapping[str, Any]) -> Order:
    column = text.removeprefix("-")
    if not text or (column not in sortable(entity, arguments) and column in _emptied(entity)):
        return order_of(entity, arguments)
    if column not in sortable(entity, arguments):
        raise BadRequest(f"This list can't be sorted by {column}. Open it anew, and choose a column.")
    return Order(column=column, descending=text.startswith("-"))


def _emptied(entity: EntityType) -> set[str]:
    """Columns by which the list could be sorted, until their filters were emptied in the form."""
    return {criterion.orders for criterion in entity.filters if criterion.name in request.args}


def _page(listing: Listing) -> str:
    return render_template("webui/list.html", list=listing)


def _without(name: str) -> str:
    kept = {key: values for key, values in request.args.lists() if key != name}
    return url_for("webui.list", **{**(request.view_args or {}), **kept})


def _pairs(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, str(item)) for name, value in query.items() for item in (value if isinstance(value, list) else [value])
    ]
