"""Processes: a script path always names a script that its package has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, NotFound, UnprocessableEntity

from bvo import access
from bvo.database import db, transaction
from bvo.entities import Creates, Deletes, Updates
from bvo_packages.models import Package

from .models import Process, ProcessVersion
from .schemas import ProcessIn

MAX_VERSIONS = 200
"""So many are told of."""


class ProcessService(Creates[Process], Updates[Process], Deletes[Process]):
    """Create, change (which counts a new version where package or script change) and delete."""

    empty_template = "bvo_processes/processes_empty.html"

    form_begins_with = "package_id"

    def form_schema(self, row: Process | None, given: Mapping[str, Any]) -> Schema:
        """A new process takes one of the scripts of its package."""
        package = db.session.get(Package, given["package_id"]) if row is None and "package_id" in given else None
        if package is None:
            return ProcessIn()
        script = fields.String(required=True, validate=validate.OneOf(package.scripts, labels=package.scripts))
        if len(package.scripts) == 1:
            script.load_default = package.scripts[0]
            script.required = False
        return ProcessIn.from_dict({"script_path": script})()

    def create(self, data: Mapping[str, Any]) -> Process:
        with transaction() as session:
            _check_script(session, data["package_id"], data["script_path"])
            process = super().create(data)
            _keep_version(session, process)
            return process

    def update(self, row_id: int, data: Mapping[str, Any]) -> Process:
        with transaction() as session:
            return self._update(session, self.get(row_id), data)

    def roll_back(self, row_id: int, version: int) -> Process:
        """Run what an earlier version ran, as a new version. Raises NotFound, or Conflict where that can't be."""
        with transaction() as session:
            process = self.get(row_id)
            earlier = session.scalars(
                select(ProcessVersion).filter_by(process_id=row_id, version=version)
            ).one_or_none()
            if earlier is None:
                raise NotFound(f"Process {row_id} has no version {version}.")
            if earlier.package_id is None:
                package = f"{earlier.package_name} {earlier.package_version}"
                raise Conflict(f"The package {package} was deleted. Upload it again, and change the process by hand.")
            again = {"package_id": earlier.package_id, "script_path": earlier.script_path}
            if again == {name: getattr(process, name) for name in again}:
                raise Conflict(f"The process runs what version {version} ran already.")
            return self._update(session, process, again, rolled_back_to=version)

    def _update(self, session: Session, process: Process, data: Mapping[str, Any], **metadata: Any) -> Process:
        package_id = data.get("package_id", process.package_id)
        script_path = data.get("script_path", process.script_path)
        if (package_id, script_path) == (process.package_id, process.script_path):
            return self.change(session, process, data)
        _check_script(session, package_id, script_path)
        updated = self.change(session, process, {**data, "version": process.version + 1}, **metadata)
        session.refresh(updated)
        _keep_version(session, updated)
        return updated


def versions(process_id: int, limit: int = MAX_VERSIONS) -> list[ProcessVersion]:
    """The latest versions of a process, newest first."""
    query = select(ProcessVersion).filter_by(process_id=process_id).order_by(ProcessVersion.version.desc())
    return list(db.session.scalars(query.limit(limit)))


def _keep_version(session: Session, process: Process) -> None:
    package = session.get_one(Package, process.package_id)
    session.add(
        ProcessVersion(
            process_id=process.id,
            version=process.version,
            package_id=package.id,
            package_name=package.name,
            package_version=package.version,
            script_path=process.script_path,
            created_by=access.principal().name,
        )
    )


def _check_script(session: Session, package_id: int, script_path: str) -> None:
    package = session.get(Package, package_id)
    if package is None:
        raise UnprocessableEntity(f"There is no package with the id {package_id}. Upload one first.")
    if script_path not in package.scripts:
        shown = ", ".join(package.scripts[:10]) + (", …" if len(package.scripts) > 10 else "")
        raise UnprocessableEntity(
            f"script_path {script_path!r} is not in the package {package.name} {package.version}."
            f" Its scripts are: {shown}."
        )
