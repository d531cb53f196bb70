"""What lies in a package's zip: names, digests, and small texts of it. Each zip was inspected when it was uploaded."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bvo import stores

from .models import Package

README = ("readme.md", "readme.txt", "readme.rst", "readme")
MAX_TEXT = 200_000
"""Bytes of a file that are read to be shown."""


def files(package: Package) -> dict[str, int]:
    """The files by name, each with its checksum. None where the zip can't be read now."""
    with _opened(package) as archive:
        return {info.filename: info.CRC for info in archive.infolist() if not info.is_dir()} if archive else {}


def text(package: Package, name: str) -> str:
    """A file as text, cut where it is long; empty where it is none or can't be read now."""
    with _opened(package) as archive:
        if archive is None or name not in archive.NameToInfo:
            return ""
        with archive.open(name) as file:
            read = file.read(MAX_TEXT)
    return "" if b"\0" in read else read.decode("utf-8", "replace")


def readme(package: Package) -> str:
    """What the package says of itself, from its top folder; empty where it says nothing."""
    with _opened(package) as archive:
        names = {name.lower(): name for name in archive.namelist()} if archive else {}
    return next((text(package, names[name]) for name in README if name in names), "")


@contextmanager
def _opened(package: Package) -> Iterator[zipfile.ZipFile | None]:
    """The zip; None where the store has lost it or is away: a page can do without."""
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(
                zipfile.ZipFile(stack.enter_context(stores.current().open(package.store_key)))
            )
        except (OSError, zipfile.BadZipFile):
            yield None
        else:
            yield archive
