"""Packages: checked before they are kept, and kept under their digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, BinaryIO

from marshmallow import Schema
from sqlalchemy import select
from werkzeug.exceptions import Conflict, UnprocessableEntity

from bvo import events, stores
from bvo.bodies import takes
from bvo.database import after_commit, db, transaction
from bvo.entities import Deletes, Updates

from . import archive
from .models import Package
from .schemas import PackageForm, PackageIn

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VERSION = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}")
FILE_NAME = re.compile(rf"(?P<name>.+)_(?P<version>{VERSION.pattern})")
CHUNK = 1024 * 1024


class PackageService(Updates[Package], Deletes[Package]):
    """A package is uploaded, activated or not, and deleted where nothing uses it; it has no `create`."""

    empty_template = "bvo_packages/packages_empty.html"

    def upload(self, file_name: str, source: BinaryIO, name: str = "", version: str = "") -> Package:
        """Keep an uploaded zip. Name and version come from the form, or from a file name like `report_1.2.3.zip`.

        Raises UnprocessableEntity for what is no safe package, Conflict where this name and version exist.
        """
        name, version = _identify(file_name, name, version)
        _check_free(name, version)
        try:
            manifest = archive.inspect(source)
        except archive.ArchiveError as error:
            raise UnprocessableEntity(f"The package was refused: {error}") from None
        sha256, size = _digest(source)
        package = Package(name=name, version=version, scripts=list(manifest.scripts), sha256=sha256, size_bytes=size)
        stores.current().put(package.store_key, source)
        try:
            return self._insert(package)
        except BaseException:
            _forget_unused(package)
            raise

    def form_schema(self, row: Package | None, given: Mapping[str, Any]) -> Schema:
        return PackageForm() if row is None else PackageIn(only=("is_active",))

    @takes(archive.Limits().max_compressed_bytes)
    def create_from_form(self, data: Mapping[str, Any]) -> Package:
        """Keep what was uploaded with the form."""
        file = data["file"]
        return self.upload(file.filename, file.stream, data["name"], data["version"])

    def update(self, row_id: int, data: Mapping[str, Any]) -> Package:
        package = self.get(row_id)
        for field in ("name", "version"):
            if field in data and data[field] != getattr(package, field):
                raise Conflict(
                    f"A package's {field} can't change, jobs depend on it. Upload the zip again under the new one."
                )
        return super().update(row_id, data)

    def delete(self, row_id: int) -> None:
        with transaction():
            package = self.get(row_id)
            super().delete(row_id)
            after_commit(lambda: _forget_unused(package))

    def deactivate(self, row_id: int) -> Package:
        """Let no new job start with it."""
        return self.update(row_id, {"is_active": False})

    def activate(self, row_id: int) -> Package:
        """Let jobs start with it again."""
        return self.update(row_id, {"is_active": True})

    def open(self, package: Package) -> BinaryIO:
        """The zip, for reading."""
        return stores.current().open(package.store_key)

    def _insert(self, package: Package) -> Package:
        with transaction() as session:
            _check_free(package.name, package.version)
            session.add(package)
            session.flush()
            events.emit("created", self.entity, package)
            return package


def _identify(file_name: str, name: str, version: str) -> tuple[str, str]:
    path = PurePath(file_name)
    if path.suffix.lower() != ".zip":
        raise UnprocessableEntity("File must be a .zip")
    if found := FILE_NAME.fullmatch(path.stem):
        name, version = name or found["name"], version or found["version"]
    if not NAME.fullmatch(name):
        raise UnprocessableEntity(
            "The package needs a name of letters, digits and . _ - (at most 100)."
            " Name the file name_1.2.3.zip, or send `name`."
        )
    if not VERSION.fullmatch(version):
        raise UnprocessableEntity(
            "The version must have the form 1.2.3. Name the file name_1.2.3.zip, or send `version`."
        )
    return name, version


def _check_free(name: str, version: str) -> None:
    if db.session.scalar(select(Package.id).filter_by(name=name, version=version)) is not None:
        raise Conflict(f"Package name+version already exists: {name} {version}. Upload it with a higher version.")


def _digest(source: BinaryIO) -> tuple[str, int]:
    source.seek(0)
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    source.seek(0)
    return digest.hexdigest(), size


def _forget_unused(package: Package) -> None:
    """Remove the zip unless another package has the same content."""
    if db.session.scalar(select(Package.id).filter_by(sha256=package.sha256).limit(1)) is None:
        stores.current().delete(package.store_key)
