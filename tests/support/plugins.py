"""Third-party plugins for tests: installed as pip would leave them, so that entry points find them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from bvo_hookspecs import PluginInfo, hookimpl

HEADER = "from bvo_hookspecs import *\nfrom bvo_hookspecs import PluginInfo, hookimpl\n\n"


def plugin_module(name: str, requires: Iterable[str] = (), **hooks: Any) -> ModuleType:
    """A plugin's entry module; each hook is a list of records, or a function that returns one."""
    module = ModuleType(f"acme_{name}")
    module.plugin_info = hookimpl(lambda: PluginInfo(name=name, summary=f"Test {name}", requires=tuple(requires)))  # type: ignore[attr-defined]
    for hook, given in hooks.items():
        setattr(module, hook, hookimpl(given if callable(given) else _returning(given)))
    return module


def _returning(records: Any) -> Callable[[], Any]:
    def implementation() -> Any:
        return records

    return implementation


class Site:
    """A folder on `sys.path` that holds distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._modules: list[str] = []
        folder.mkdir()
        sys.path.insert(0, str(folder))

    def install(self, source: str, name: str = "acme_plugin", *, header: bool = True) -> str:
        """A distribution with one package of that source."""
        package = self.folder / name
        package.mkdir()
        (package / "__init__.py").write_text((HEADER if header else "") + source, encoding="utf-8")
        return self.declare(name)

    def plug(self, name: str, requires: Iterable[str] = (), **hooks: Any) -> ModuleType:
        """A distribution whose package is already imported: for plugins that are written in the test itself."""
        module = plugin_module(name, requires, **hooks)
        module.__file__ = str(self.folder / module.__name__ / "__init__.py")
        sys.modules[module.__name__] = module
        self.declare(module.__name__, entry_point=name)
        return module

    def declare(self, package: str, *, entry_point: str = "") -> str:
        """Only the distribution's metadata, for a package that is importable anyhow."""
        entry_point = entry_point or package
        metadata = self.folder / f"{entry_point}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {entry_point}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[bvo.plugins]\n{entry_point} = {package}\n")
        importlib.invalidate_caches()
        self._modules.append(package)
        return package

    def close(self) -> None:
        sys.path.remove(str(self.folder))
        importlib.invalidate_caches()
        for name in list(sys.modules):
            if name.partition(".")[0] in self._modules:
                del sys.modules[name]
