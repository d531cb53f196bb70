"""What a plugin says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import check_name


@dataclass(frozen=True, kw_only=True)
class PluginInfo:
    """A plugin's identity.

    `requires` names the plugins that must be loaded before this one; where one of them is missing or disabled, this
    plugin is skipped and the reason is shown by `bvo plugins list`. Alembic revisions are found by convention, in the
    folder `migrations` beside the plugin's entry module.
    """

    name: str
    summary: str
    requires: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name(self, self.name)
        for required in self.requires:
            check_name(self, required, "requires")
