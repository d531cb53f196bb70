"""Where packages, artifacts and secrets lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from .checks import check_name


class DamagedBlob(OSError):
    """What a store gives back is not what was put into it."""


class Store(Protocol):
    """A place for blobs. Keys are relative paths with `/`, made from digests and ids, never from user input.

    Threads share it. What can't be reached raises OSError within seconds: a request is waiting.
    """

    def put(self, key: str, source: BinaryIO) -> None:
        """Store all of `source`, a seekable file at its start, whole or not at all; an equal key is replaced."""

    def open(self, key: str) -> BinaryIO:
        """Open a blob for reading, seekable. Raises FileNotFoundError where there is none.

        A read may raise DamagedBlob where the store notices it; it does so before it hands out the end.
        """

    def delete(self, key: str) -> None:
        """Remove a blob; no error where there is none."""

    def check(self) -> None:
        """Raise OSError where the store can't be read or written now."""


@dataclass(frozen=True, kw_only=True)
class PackageStore:
    """A kind of store, chosen by `BVO_PACKAGE_STORE`. `connect` is called once per app with the data folder.

    What else it needs to know, it reads from variables of its own in the environment, `BVO_<NAME>_…`. It asks nothing
    of a server yet: `check` and the first request do.
    """

    name: str
    connect: Callable[[Path], Store]

    def __post_init__(self) -> None:
        check_name(self, self.name)


@dataclass(frozen=True, kw_only=True)
class StoredBlobs:
    """A table whose rows have a blob each: the model has an `id`, the blob's `store_key` and its `sha256`, in hex.

    `bvo packages move` takes them from one store to another.
    """

    name: str
    model: type[Any]

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
