"""The page of one row: its head, the plugins' panels, its fields. While a panel is live, the page asks again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from flask import flash, make_response, redirect, render_template
from markupsafe import Markup
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from bvo import access, registry
from bvo.access import requires

from . import errors, parts
from .beginnings import created_template_of
from .headers import fragment
from .offers import visible
from .records import Button, Record, load
from .shell import list_url
from .values import Value


@dataclass(frozen=True)
class Page:
    """A row's page in its parts. Where panels cover some of the row's fields, the others are folded away."""

    record: Record
    panels: list[parts.Part]
    again: bool = False

    @property
    def live(self) -> bool:
        return any(panel.live for panel in self.panels)

    @cached_property
    def covered(self) -> set[str]:
        return {name for panel in self.panels for name in panel.covers}

    @cached_property
    def alarms(self) -> list[Value]:
        """What went wrong, in words that need some room."""
        return [value for value in self.record.blocks if value.alarming and value.name not in self.covered]

    @cached_property
    def facts(self) -> list[Value]:
        return [value for value in self.record.facts if value.name not in self.covered]

    @cached_property
    def blocks(self) -> list[Value]:
        return [value for value in self.record.blocks if not value.alarming and value.name not in self.covered]

    @cached_property
    def head(self) -> Markup:
        """The part of the page that changes with the row."""
        return self._markup("webui/_record.html")

    @cached_property
    def details(self) -> Markup:
        """The fields that are folded away."""
        return self._markup("webui/_details.html") if self.covered else Markup("")

    @property
    def etag(self) -> str:
        panels = [panel.etag for panel in self.panels if panel.refresh]
        return parts.etag("".join((self.head, self.details, str(self.live), *panels)))

    def tag(self, text: str) -> str:
        """By which a browser sees that a part is the one that it shows already."""
        return parts.etag(text)

    def _markup(self, template: str) -> Markup:
        return Markup(render_template(template, record=self.record, page=self))  # noqa: S704 - a template's own output


@requires(None)
def show(entity: str, row_id: int) -> Response:
    return make_response(_shown(load(visible(entity), row_id)))


@requires(None)
def live(entity: str, row_id: int) -> Response:
    """All parts, for a page that asks again; unchanged, it is 304 and nothing moves."""
    record = load(visible(entity), row_id)
    page = Page(record, parts.panels(record.entity, row_id, again=True), again=True)
    return fragment(render_template("webui/_parts.html", record=page.record, page=page), page.etag)


@requires(None)
def act(entity: str, row_id: int, action: str) -> Response:
    """Run an action of the type's service, or delete the row; what goes wrong is said on the row's page."""
    record = load(visible(entity), row_id)
    button = record.button(action)
    if button is None:
        raise NotFound(f"{record.entity.label} has no action {action!r}.")
    errors.show_on(lambda problem: _shown(load(record.entity, row_id), problem))
    access.require(button.permission)
    outcome = getattr(registry.current().service(record.entity.service), action)(row_id)
    made = record
    if isinstance(outcome, record.entity.model):
        made = Record(record.entity, record.entity.read_schema().dump(outcome))
    if made.once:
        title = f"{record.heading}: “{button.label}” is done"
        return make_response(render_template(created_template_of(record.entity), record=made, title=title))
    flash(_told(record, button, made))
    return redirect(list_url(record.entity) if button.removes else record.url)


def _told(record: Record, button: Button, made: Record) -> Markup:
    """What happened, with a link to the row, and to another one that was made of it."""
    label = record.entity.label
    if button.removes:
        return Markup("{} {} was deleted.").format(label, record.title)
    if made.id != record.id:
        return Markup("{} {}: “{}” made {}.").format(label, record.link, button.label, made.link)
    return Markup("{} {}: “{}” is done.").format(label, record.link, button.label)


def _shown(record: Record, problem: str = "") -> str:
    page = Page(record, parts.panels(record.entity, record.id))
    return render_template("webui/detail.html", record=record, page=page, problem=problem)
