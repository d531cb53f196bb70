"""What plugins add to the web UI without writing a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .checks import check_name


@dataclass(frozen=True, kw_only=True)
class NavItem:
    """An entry of the main navigation. `url` may be left out for an entity type: its list page is meant.

    `permission` hides it from those who lack it; an entity type's own is `<plural>:view`. Lower `order` stands first.
    """

    name: str
    label: str
    order: int = 100
    url: str = ""
    permission: str = ""

    def __post_init__(self) -> None:
        check_name(self, self.name)


@dataclass(frozen=True, kw_only=True)
class DetailPanel:
    """A part of an entity type's detail page. `context` gets the row's id and returns the template's variables.

    `covers` names the row's fields that it tells; the page then folds what is left of them away, below all panels.
    Lower `order` stands first. `permission` hides it from those who lack it, e.g. on another plugin's page. Where a
    panel is `live`, the page asks again for all those that `refresh`.
    """

    name: str
    entity_type: str
    title: str
    template: str
    context: Callable[[int], Mapping[str, Any]]
    order: int = 100
    permission: str = ""
    covers: tuple[str, ...] = ()
    refresh: bool = True

    def __post_init__(self) -> None:
        check_name(self, self.name)
        if self.covers and not self.refresh:
            raise ValueError(f"DetailPanel {self.name!r}: what covers fields must be refreshed with them")


@dataclass(frozen=True, kw_only=True)
class DashboardCard:
    """A part of the dashboard, shown to those who hold `permission`. An error in it hides the card, never the page."""

    name: str
    title: str
    template: str
    context: Callable[[], Mapping[str, Any]]
    permission: str
    order: int = 100

    def __post_init__(self) -> None:
        check_name(self, self.name)
