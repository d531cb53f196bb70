"""What alerts may watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .checks import check_name, check_text

if TYPE_CHECKING:
    from marshmallow import Schema


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a condition holds for now.

    `subject` says which, as events do: `robot/3`. Of one rule and subject there is one open alert at most. `name` is
    the subject's, for people; `message` says in a sentence what is wrong, and is kept as it was when the alert was
    raised.
    """

    subject: str
    name: str
    message: str

    def __post_init__(self) -> None:
        check_text(self, self.subject, "subject", 200)
        check_text(self, self.name, "name", 500)
        check_text(self, self.message, "message", 2000)


@dataclass(frozen=True, kw_only=True)
class AlertCondition:
    """Something that a rule may watch, and that may hold for several things at once.

    `parameters` is a schema of what a rule says of it; the web UI's form follows from it. `find` gets what that schema
    has loaded, and since when the rule watches: what was due before is not its business. It gives everything that the
    condition holds for now, in few and indexed queries, since it is asked every 15 seconds; where it raises, what is
    open stays open, and the rule shows the error.
    """

    name: str
    label: str
    help: str
    parameters: type[Schema]
    find: Callable[[Mapping[str, Any], datetime], Iterable[Finding]]

    def __post_init__(self) -> None:
        check_name(self, self.name)
        for field in ("label", "help"):
            check_text(self, getattr(self, field), field, 500)
