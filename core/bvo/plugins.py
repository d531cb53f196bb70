"""Finding and loading plugins. Importing this module imports neither Flask nor SQLAlchemy."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, Literal

import pluggy

from bvo_hookspecs import PluginInfo, spec

from .errors import StartupError

BUILTINS = (
    "bvo_access",
    "bvo_auth",
    "bvo_audit",
    "bvo_settings",
    "bvo_tokens",
    "bvo_oidc",
    "bvo_packages",
    "bvo_s3",
    "bvo_processes",
    "bvo_machines",
    "bvo_robots",
    "bvo_jobs",
    "bvo_queues",
    "bvo_assets",
    "bvo_sdk",
    "bvo_runner",
    "bvo_events",
    "bvo_webhooks",
    "bvo_email",
    "bvo_alerts",
    "bvo_redis",
    "bvo_audit_file",
    "bvo_syslog",
    "bvo_dashboard",
    "bvo_demo",
    "bvo_webui",
)
ESSENTIAL = frozenset({"access", "auth", "audit", "settings"})
ENTRY_POINTS = "bvo.plugins"

State = Literal["loaded", "disabled", "skipped", "failed"]
log = logging.getLogger(__name__)


@dataclass
class Plugin:
    """A plugin that was found, whether or not it could be loaded."""

    module: ModuleType
    info: PluginInfo
    builtin: bool
    state: State = "loaded"
    reason: str = ""

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def package(self) -> str:
        return self.module.__name__

    @property
    def essential(self) -> bool:
        return self.builtin and self.name in ESSENTIAL


CORE = Plugin(ModuleType("bvo"), PluginInfo(name="core", summary="The kernel"), builtin=True)
"""Who gives what the core itself has: no plugin, but named as one."""


@dataclass
class Plugins:
    """The plugins of one app, in the order of their `requires`. Each app has its own."""

    all: list[Plugin] = field(default_factory=list)
    manager: pluggy.PluginManager = field(default_factory=lambda: _manager())
    required: frozenset[str] = frozenset()

    def __iter__(self) -> Iterator[Plugin]:
        return (plugin for plugin in self.all if plugin.state == "loaded")

    def names(self) -> set[str]:
        return {plugin.name for plugin in self}

    def fail(self, plugin: Plugin, error: BaseException) -> None:
        """Take a plugin out after `error`: a third-party one is named and skipped, any other stops the start."""
        if plugin.builtin and isinstance(error, StartupError):
            raise error  # it says itself what is wrong
        reason = str(error) if isinstance(error, StartupError) else f"{type(error).__name__}: {error}"
        if plugin.builtin or plugin.name in self.required:
            raise StartupError(f"The plugin {plugin.name!r} ({plugin.package}) failed: {reason}") from error
        plugin.state, plugin.reason = "failed", reason
        log.error("The plugin %r (%s) failed and is skipped: %s", plugin.name, plugin.package, reason)

    def call(self, plugin: Plugin, hook: str) -> list[Any]:
        """The records that `plugin` gives for `hook`; none after it failed."""
        implementation = getattr(plugin.module, hook, None)
        if plugin.state != "loaded" or implementation is None:
            return []
        try:
            return list(implementation())
        except BaseException as error:
            self.fail(plugin, error)
            return []

    def skip_dependents(self) -> None:
        """Take out what requires a plugin that is not loaded."""
        loaded: set[str] = set()
        for plugin in self.all:
            missing = [name for name in plugin.info.requires if name not in loaded]
            if plugin.state == "loaded" and missing:
                _skip(plugin, missing, self.required)
            if plugin.state == "loaded":
                loaded.add(plugin.name)


def load(disabled: Iterable[str] = (), required: Iterable[str] = (), builtins: Iterable[str] = BUILTINS) -> Plugins:
    """Import, order and register every plugin. Raises StartupError where one that must be there is not."""
    disabled = frozenset(disabled)
    if refused := disabled & ESSENTIAL:
        raise StartupError(
            f"BVO_DISABLED_PLUGINS names {', '.join(sorted(refused))}: essential plugins can't be disabled."
        )
    plugins = Plugins(required=frozenset(required))
    found = [_describe(importlib.import_module(name), builtin=True) for name in builtins]
    found += _third_parties(plugins.required)
    plugins.all = _in_order(found)
    for plugin in plugins.all:
        if plugin.name in disabled:
            plugin.state, plugin.reason = "disabled", "named in BVO_DISABLED_PLUGINS"
    plugins.skip_dependents()
    for plugin in plugins:
        _register(plugins, plugin)
    plugins.skip_dependents()
    _check_required(plugins)
    return plugins


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("bvo")
    manager.add_hookspecs(spec)
    return manager


def _describe(module: ModuleType, *, builtin: bool) -> Plugin:
    info = getattr(module, "plugin_info", None)
    if info is None:
        raise TypeError(f"{module.__name__} has no `plugin_info` hook")
    described = info()
    if not isinstance(described, PluginInfo):
        raise TypeError(f"{module.__name__}.plugin_info() returned {described!r}, not a PluginInfo")
    return Plugin(module=module, info=described, builtin=builtin)


def _third_parties(required: frozenset[str]) -> list[Plugin]:
    found = []
    for entry_point in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            found.append(_describe(entry_point.load(), builtin=False))
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}"
            if entry_point.name in required:
                raise StartupError(f"The required plugin {entry_point.name!r} can't be loaded: {reason}") from error
            log.error(
                "The plugin %r (%s) can't be loaded and is skipped: %s", entry_point.name, entry_point.value, reason
            )
            found.append(_unloadable(entry_point.name, reason))
    return found


def _unloadable(name: str, reason: str) -> Plugin:
    safe = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_") or "unnamed"
    info = PluginInfo(name=safe if safe[0].isalpha() else f"p{safe}", summary="")
    return Plugin(module=ModuleType(name), info=info, builtin=False, state="failed", reason=reason)


def _in_order(found: list[Plugin]) -> list[Plugin]:
    by_name: dict[str, Plugin] = {}
    for plugin in (plugin for plugin in found if plugin.state == "loaded"):
        if (other := by_name.setdefault(plugin.name, plugin)) is not plugin:
            raise StartupError(
                f"Two plugins are named {plugin.name!r}: {other.package} and {plugin.package}. Uninstall one of them."
            )
    sorter = TopologicalSorter({name: plugin.info.requires for name, plugin in by_name.items()})
    try:
        ordered = [by_name[name] for name in sorter.static_order() if name in by_name]
    except CycleError as error:
        raise StartupError(f"Plugins require each other in a circle: {' -> '.join(error.args[1])}.") from None
    ordered.sort(key=lambda plugin: not plugin.builtin)  # stable: built-ins are asked first, each group in its order
    return ordered + [plugin for plugin in found if plugin.state == "failed"]


def _register(plugins: Plugins, plugin: Plugin) -> None:
    try:
        _check_names(plugin.module)
        plugins.manager.register(plugin.module, name=plugin.name)
        plugins.manager.check_pending()
    except BaseException as error:
        if plugins.manager.is_registered(plugin.module):
            plugins.manager.unregister(plugin.module)
        plugins.fail(plugin, error)


def _check_names(module: ModuleType) -> None:
    """A submodule takes the place of the package's function of that name as soon as it is imported."""
    for name in vars(spec):
        if isinstance(getattr(module, name, None), ModuleType) and hasattr(getattr(spec, name), "bvo_spec"):
            raise TypeError(f"the submodule {module.__name__}.{name} hides the hook {name}: give it another name")


def _skip(plugin: Plugin, missing: list[str], required: frozenset[str]) -> None:
    reason = f"it requires {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not loaded"
    if plugin.essential or plugin.name in required:
        raise StartupError(f"The plugin {plugin.name!r} can't be loaded: {reason}.")
    plugin.state, plugin.reason = "skipped", reason
    log.warning("The plugin %r is skipped: %s", plugin.name, reason)


def _check_required(plugins: Plugins) -> None:
    if missing := plugins.required - plugins.names():
        raise StartupError(
            f"BVO_REQUIRED_PLUGINS names {', '.join(sorted(missing))}, not loaded here. Install or enable it."
        )
