"""Commands of the `bvo` program."""

from __future__ import annotations

from dataclasses import dataclass

_TARGET_FORM = "module.path:attribute"


@dataclass(frozen=True, kw_only=True)
class CliCommand:
    """A click command, imported only when it is called: `target` is `module.path:attribute`."""

    name: str
    target: str
    help: str

    def __post_init__(self) -> None:
        module, _, attribute = self.target.partition(":")
        if not module or not attribute.isidentifier():
            raise ValueError(f"CliCommand {self.name!r}: target {self.target!r} is not of the form {_TARGET_FORM}")
