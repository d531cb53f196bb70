"""Where packages and artifacts lie: in stores of the kinds that plugins give, in the order of `BVO_PACKAGE_STORE`."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import BinaryIO, cast

from flask import Flask, current_app

from bvo_hookspecs import PackageStore, Store

from . import registry
from .errors import StartupError


class StoreUnavailable(OSError):
    """A store can't be read or written now. A request that needs it is answered with 503."""


class Stores:
    """The first store takes what is new; what it lacks is read from the others, e.g. while blobs are moved to it."""

    def __init__(self, by_name: Mapping[str, Store]) -> None:
        self.by_name = by_name

    def put(self, key: str, source: BinaryIO) -> None:
        name, store = next(iter(self.by_name.items()))
        with _reaching(name):
            store.put(key, source)

    def open(self, key: str) -> BinaryIO:
        stores = list(self.by_name.items())
        for name, store in (*stores, stores[0]):  # once more the first: the blob may have been moved there meanwhile
            with suppress(FileNotFoundError), _reaching(name):
                return store.open(key)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), key)

    def delete(self, key: str) -> None:
        for name, store in self.by_name.items():
            with _reaching(name):
                store.delete(key)

    def check(self) -> None:
        for name, store in self.by_name.items():
            with _reaching(name):
                store.check()


def init_app(app: Flask, contributed: registry.Registry) -> None:
    """Connect the chosen stores. Raises StartupError for an unknown one."""
    kinds = contributed.of(PackageStore)
    if not kinds:
        return
    names, data_dir = contributed.config.package_stores, contributed.config.data_dir
    if unknown := [name for name in names if name not in kinds]:
        raise StartupError(f"BVO_PACKAGE_STORE names {', '.join(unknown)}; there are: {', '.join(sorted(kinds))}.")
    app.extensions["bvo_stores"] = Stores({name: kinds[name].connect(data_dir) for name in names})


def current() -> Stores:
    """The stores of the running app, to be used as one."""
    return cast(Stores, current_app.extensions["bvo_stores"])


@contextmanager
def _reaching(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreUnavailable(f"the store {name} can't be read or written: {error}") from error
