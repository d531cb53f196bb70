"""Templates that operators write: Jinja2, cut down to what ends soon and reaches nothing but what it is given."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.runtime import LoopContext
from jinja2.sandbox import SandboxedEnvironment

SECONDS = 2.0
"""So long a template may take; an honest one takes milliseconds."""
MOST_FILTERS = 3
"""So many may follow on each other: some make a text longer each time."""
FILTERS = (
    *("default", "dictsort", "first", "items", "last", "length", "lower", "round", "string", "title", "tojson"),
    *("trim", "truncate", "upper"),
)
NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If),
    *(nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Const, nodes.List, nodes.Tuple),
    *(nodes.Filter, nodes.Test, nodes.Keyword, nodes.CondExpr, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Add, nodes.Sub, nodes.Concat),
)
"""No call, no multiplication and no assignment: by these a short template makes an endless text."""


class TemplateFailed(Exception):
    """What is wrong with a template, or with what it was given."""


class Template:
    """One template. What it makes is at most `most` characters. Raises TemplateFailed for what it must not have."""

    def __init__(self, source: str, most: int) -> None:
        self._environment, self._most = _Environment(), most
        try:
            tree = self._environment.parse(source)
            self._environment.restrict(tree)
            self._template = self._environment.from_string(tree)
        except TemplateSyntaxError as error:
            raise TemplateFailed(f"Line {error.lineno}: {error.message}") from None
        except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError):
            raise TemplateFailed("It is nested too deeply, or has too large a number.") from None

    def render(self, values: Mapping[str, Any]) -> str:
        """The text. Raises TemplateFailed, also for a name that is not there."""
        self._environment.until = time.monotonic() + SECONDS
        parts, size = [], 0
        try:
            for part in self._template.generate(values):
                parts.append(part)
                size += len(part)
                if size > self._most:
                    raise TemplateFailed(f"It makes a text of more than {self._most:,} characters.")
        except TemplateFailed:
            raise
        except Exception as error:  # whatever a filter or a comparison raises for a value that it can't take
            raise TemplateFailed(str(error) or type(error).__name__) from None
        return "".join(parts)


class _Environment(SandboxedEnvironment):
    """Without globals, and with a limit of time on its loops."""

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            finalize=lambda value: "" if value is None else value,
        )
        self.until = 0.0
        self.globals.clear()
        self.filters = {**{name: self.filters[name] for name in FILTERS}, "_in_time": self._in_time}

    def getitem(self, obj: Any, argument: Any) -> Any:
        """What it holds under this name or number, and never an attribute of Python's."""
        try:
            return obj[argument]
        except (LookupError, TypeError):
            return self.undefined(obj=obj, name=argument)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """As with brackets; `loop` alone has attributes: `loop.last`."""
        return super().getattr(obj, attribute) if isinstance(obj, LoopContext) else self.getitem(obj, attribute)

    def restrict(self, tree: nodes.Template) -> None:
        """Refuse what is not in NODES, and let every loop look at the clock. Raises TemplateSyntaxError."""
        for node in tree.find_all(nodes.Node):
            if not isinstance(node, NODES):
                raise TemplateSyntaxError(f"{type(node).__name__} can't be used in a mail.", node.lineno)
            if isinstance(node, nodes.Filter) and len(list(node.find_all(nodes.Filter))) >= MOST_FILTERS:
                raise TemplateSyntaxError(f"Use at most {MOST_FILTERS} filters on one value.", node.lineno)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, "_in_time", [], [], None, None, lineno=loop.lineno)

    def _in_time(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            if time.monotonic() > self.until:
                raise TemplateFailed(f"It takes longer than {SECONDS:g} s.")
            yield value
