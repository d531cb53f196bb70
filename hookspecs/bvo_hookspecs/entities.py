"""Entity types: declare once, and REST routes, permissions, audit, events and pages follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .checks import check_name
from .pages import NavItem

if TYPE_CHECKING:
    from marshmallow import Schema
    from marshmallow.fields import Field
    from sqlalchemy import Select

    from .identity import Principal, PrincipalKind

OPERATIONS = ("view", "create", "edit", "delete")
VIEWS = ("list", "get", "create", "update", "delete")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A query parameter of a list: `field` parses it, `apply` narrows the query in SQL.

    `orders` names a column that is never null in what the filter leaves, and that an index keeps in order: the list is
    then in this order, the greatest first, as long as no other one is asked for.
    """

    name: str
    field: Field[Any]
    apply: Callable[[Select[Any], Any], Select[Any]]
    orders: str = ""

    def __post_init__(self) -> None:
        check_name(self, self.name)


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something one does to one row beyond editing: `POST /api/<path>/<id>/<name>`, and a button on its page.

    The service's method of the same name is called with the id and returns the row. `operation` is the permission
    that it needs. `confirm` is the question to ask first, where the action can't be undone. `applies` tells from the
    row, as the API shows it, whether the button makes sense now; the service decides, whatever the button says.
    `bulk` is False where it is for one row at a time, such as one whose answer shows a secret once.
    """

    name: str
    label: str
    operation: str = "edit"
    confirm: str = ""
    applies: Callable[[Mapping[str, Any]], bool] = lambda row: True
    bulk: bool = True

    def __post_init__(self) -> None:
        check_name(self, self.name)
        if self.operation not in OPERATIONS:
            raise ValueError(f"Action {self.name!r}: operation {self.operation!r} is none of {', '.join(OPERATIONS)}")


@dataclass(frozen=True, kw_only=True)
class EntityType:
    """One kind of thing that the product manages.

    `service` is instantiated once per app with this record. The operations that exist are the methods that it has:
    `create(data) -> row`, `update(id, data) -> row`, `delete(id)`; each is one transaction. With a method
    `page(arguments)` it fetches the list's pages itself, as `bvo.entities.fetch_page` would. `scope` narrows every
    query to what the principal may see, and is mandatory: write `everything` where nothing is narrowed. `secrets`
    names fields that are masked in audit and events. `views` replaces one operation whole: its key is one of `list,
    get, create, update, delete`, its value a view function that declares its own access. `principals` names, for one of
    these, the kinds of principals that may call it; users and API tokens where it is left out.
    """

    name: str
    plural: str
    label: str
    model: type[Any]
    read_schema: type[Schema]
    service: type[Any]
    scope: Callable[[Principal, Select[Any]], Select[Any]]
    write_schema: type[Schema] | None = None
    path: str = ""
    actions: tuple[Action, ...] = ()
    columns: tuple[str, ...] = ("id", "name")
    filters: tuple[Filter, ...] = ()
    secrets: frozenset[str] = frozenset()
    nav: NavItem | None = None
    views: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    principals: Mapping[str, tuple[PrincipalKind, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self, self.name)
        check_name(self, self.plural, "plural")
        if unknown := (set(self.views) | set(self.principals)) - set(VIEWS):
            raise ValueError(
                f"EntityType {self.name!r}: views or principals {sorted(unknown)} are none of {', '.join(VIEWS)}"
            )
        if self.write_schema is None and (self.has("create") or self.has("update")):
            raise ValueError(f"EntityType {self.name!r}: its service creates or updates, so it needs a write_schema")
        if missing := [action.name for action in self.actions if not self.has(action.name)]:
            raise ValueError(f"EntityType {self.name!r}: its service has no method {', '.join(missing)}")

    def has(self, operation: str) -> bool:
        """True where the service offers `operation`: create, update, delete, or the name of an action."""
        return callable(getattr(self.service, operation, None))

    @property
    def url(self) -> str:
        """The path below `/api/`: `path` where given, else the plural with dashes."""
        return self.path or self.plural.replace("_", "-")
