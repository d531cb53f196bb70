"""Where packages, artifacts and secrets lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from .checks import check_name


class Store(Protocol):
    """A place for blobs. Keys are relative paths with `/`, made from digests and ids, never from user input."""

    def put(self, key: str, source: BinaryIO) -> None:
        """Store everything `source` still holds under `key`, whole or not at all; an equal key is replaced."""

    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading. Raises FileNotFoundError where there is none."""

    def delete(self, key: str) -> None:
        """Remove a blob; no error where there is none."""

    def check(self) -> None:
        """Raise OSError where the store can't be read or written now."""


@dataclass(frozen=True, kw_only=True)
class PackageStore:
    """A kind of store, chosen by `BVO_PACKAGE_STORE`. `connect` is called once per app with the data folder."""

    name: str
    connect: Callable[[Path], Store]

    def __post_init__(self) -> None:
        check_name(self, self.name)


@dataclass(frozen=True, kw_only=True)
class EncryptedColumn:
    """A column of texts that `bvo.secrets` encrypts; `bvo secrets rotate` encrypts them anew."""

    name: str
    model: type[Any]
    column: str

    def __post_init__(self) -> None:
        check_name(self, self.name)
