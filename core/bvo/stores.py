"""The store of packages and artifacts: one of the kinds that plugins give, chosen by `BVO_PACKAGE_STORE`."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app

from bvo_hookspecs import PackageStore, Store

from . import registry
from .errors import StartupError


def init_app(app: Flask, contributed: registry.Registry) -> None:
    """Connect the chosen store. Raises StartupError for an unknown one."""
    kinds, name = contributed.of(PackageStore), contributed.config.package_store
    if not kinds:
        return
    if name not in kinds:
        raise StartupError(f"BVO_PACKAGE_STORE is {name!r}; there are: {', '.join(sorted(kinds))}.")
    app.extensions["bvo_store"] = kinds[name].connect(contributed.config.data_dir)


def current() -> Store:
    """The store of the running app."""
    return cast(Store, current_app.extensions["bvo_store"])
