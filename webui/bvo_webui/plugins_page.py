"""`/ui/plugins`: what is loaded, whether it is well, and what went wrong last."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from flask import current_app, render_template

from bvo import consumers, health, registry
from bvo.access import requires
from bvo.consumers import Waiting
from bvo.observers import Failure, Observers
from bvo.plugins import CORE, Plugin
from bvo_hookspecs import EntityType, HealthCheck, NavItem, PluginInfo

PERMISSION = "settings:view"
NAV = NavItem(name="plugins", label="Plugins", order=96, url="/ui/plugins", permission=PERMISSION)


@dataclass(frozen=True)
class Health:
    """The answer of one check, and how long it took."""

    name: str
    state: str
    milliseconds: float


@dataclass(frozen=True)
class Row:
    plugin: Plugin
    gives: list[str]
    checks: list[Health]
    failure: Failure | None
    waiting: Waiting | None

    @property
    def state(self) -> str:
        """As it is loaded; `unhealthy` where one of its checks fails."""
        return "unhealthy" if any(check.state != "ok" for check in self.checks) else self.plugin.state


@requires(PERMISSION, principals=("user",))
def view() -> str:
    contributed = registry.current()
    observers: Observers = current_app.extensions["bvo_webui_observers"]
    waiting = consumers.waiting()
    rows = [_row(contributed, plugin, observers, waiting.get(plugin.name)) for plugin in contributed.plugins.all]
    return render_template("webui/plugins.html", rows=rows, core=_asked([(CORE.info, health.DATABASE)]))


def _row(contributed: registry.Registry, plugin: Plugin, observers: Observers, waiting: Waiting | None) -> Row:
    checks = [(owner.info, check) for owner, check in contributed.every(HealthCheck) if owner is plugin]
    gives = [entity.label for owner, entity in contributed.every(EntityType) if owner is plugin]
    return Row(plugin, gives, _asked(checks), observers.last.get(plugin.name), waiting)


def _asked(checks: Iterable[tuple[PluginInfo, HealthCheck]]) -> list[Health]:
    answers = []
    for plugin, check in checks:
        begun = time.perf_counter()
        state = health.state_of(plugin, check)
        answers.append(Health(check.name, state, (time.perf_counter() - begun) * 1000))
    return answers
