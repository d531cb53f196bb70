"""Settings that operators change while the server runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .checks import check_name

if TYPE_CHECKING:
    from marshmallow.fields import Field


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One key of a group. `field` parses and checks a value; `unit` and `help` are shown beside it.

    A `secret` one is stored encrypted and never shown; null clears it.
    """

    name: str
    field: Field[Any]
    default: Any
    help: str
    unit: str = ""
    secret: bool = False

    def __post_init__(self) -> None:
        check_name(self, self.name)
        if not self.help:
            raise ValueError(f"Setting {self.name!r} needs a help text")
        if self.secret and not (self.default is None and self.field.allow_none):
            raise ValueError(f"Setting {self.name!r} is secret: its default is None, and its field allows it")


@dataclass(frozen=True, kw_only=True)
class SettingsGroup:
    """Keys that belong together. Several plugins may add keys to one group; the label of the first one stands."""

    name: str
    label: str
    settings: tuple[Setting, ...] = ()

    def __post_init__(self) -> None:
        check_name(self, self.name)
