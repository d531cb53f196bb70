"""One row, prepared for its page: its fields, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import url_for
from markupsafe import Markup

from bvo import access, registry
from bvo.dumps import dumper
from bvo.entities import find, name_of
from bvo_hookspecs import EntityType

from . import offers
from .references import with_names
from .shell import list_url, title_of
from .values import Value, detail_url, path_of, show

TITLE_FIELDS = ("id", "name", "status", "state")
"""Fields that the page's title shows already."""


@dataclass(frozen=True)
class Button:
    """Something that the principal may do with the row. `confirm` is the question to ask first."""

    name: str
    label: str
    permission: str
    url: str
    confirm: str = ""
    removes: bool = False
    applies: bool = True


@dataclass(frozen=True)
class Record:
    """A row as its schema shows it; masks hold, and what the schema leaves out is not here."""

    entity: EntityType
    row: Mapping[str, Any]

    @property
    def id(self) -> int:
        return int(self.row["id"])

    @property
    def title(self) -> str:
        return name_of(self.row) or f"#{self.id}"

    @property
    def heading(self) -> str:
        return name_of(self.row) or f"{self.entity.label} #{self.id}"

    @property
    def path(self) -> str:
        return path_of(self.entity)

    @property
    def url(self) -> str:
        return detail_url(self.entity, self.id)

    @property
    def link(self) -> Markup:
        """Its name as a link to its page, for messages that tell of it."""
        return Markup('<a href="{}">{}</a>').format(self.url, self.title)

    @property
    def list_url(self) -> str:
        return list_url(self.entity)

    @property
    def edit_url(self) -> str:
        return offers.edit_url(self.entity, self.row)

    @property
    def list_title(self) -> str:
        return title_of(self.entity)

    @property
    def once(self) -> dict[str, Any]:
        """The secrets that are shown this once, by name: no column has them."""
        shown = ((name, self.row.get(name)) for name in self.entity.secrets if not hasattr(self.entity.model, name))
        return {name: value for name, value in shown if value}

    @cached_property
    def values(self) -> list[Value]:
        (row,) = with_names([self.row], self.row)
        return show(self.entity.read_schema, row)

    @property
    def states(self) -> list[Value]:
        return [value for value in self.values if value.name in ("status", "state") and value.kind == "state"]

    @property
    def facts(self) -> list[Value]:
        """What there is to tell: a field without a value is left out."""
        told = [value for value in self.values if value.kind != "none" and value.name not in TITLE_FIELDS]
        plain = [value for value in told if not value.block]
        return sorted(plain, key=lambda value: value.rank)

    @property
    def blocks(self) -> list[Value]:
        """Texts and trees, which need the page's whole width; errors first."""
        return sorted((value for value in self.values if value.block), key=lambda value: not value.alarming)

    @cached_property
    def buttons(self) -> list[Button]:
        can = access.principal().can
        return [button for button in self._every_button() if button.applies and can(button.permission)]

    def button(self, name: str) -> Button | None:
        return next((button for button in self._every_button() if button.name == name), None)

    @property
    def trail_url(self) -> str:
        """What the audit log tells of this row; empty where the principal may not read it."""
        log = registry.current().of(EntityType).get("audit_event")
        if log is None or log is self.entity or not access.principal().can(f"{log.plural}:view"):
            return ""
        return url_for("webui.list", entity=path_of(log), entity_type=self.entity.name, entity_id=self.id)

    def _every_button(self) -> list[Button]:
        entity = self.entity
        found = [
            Button(
                name=action.name,
                label=action.label,
                permission=f"{entity.plural}:{action.operation}",
                url=self._action_url(action.name),
                confirm=action.confirm,
                applies=action.applies(self.row),
            )
            for action in entity.actions
        ]
        return [*found, self._delete()] if entity.has("delete") else found

    def _delete(self) -> Button:
        question = f"Delete {self.entity.label.lower()} {self.title}? This can't be undone."
        permission = f"{self.entity.plural}:delete"
        return Button("delete", "Delete", permission, self._action_url("delete"), question, removes=True)

    def _action_url(self, action: str) -> str:
        return url_for("webui.act", entity=path_of(self.entity), row_id=self.id, action=action)


def load(entity: EntityType, row_id: int) -> Record:
    """The row, within the principal's scope. Raises NotFound."""
    return Record(entity, dumper(entity.read_schema)(find(entity, row_id)))
