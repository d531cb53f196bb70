"""Processes: a script path always names a script that its package has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session
from werkzeug.exceptions import UnprocessableEntity

from bvo.database import db, transaction
from bvo.entities import Creates, Deletes, Updates
from bvo_packages.models import Package

from .models import Process
from .schemas import ProcessIn


class ProcessService(Creates[Process], Updates[Process], Deletes[Process]):
    """Create, change (which counts a new version where package or script change) and delete."""

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
            return super().create(data)

    def update(self, row_id: int, data: Mapping[str, Any]) -> Process:
        with transaction() as session:
            process = self.get(row_id)
            package_id = data.get("package_id", process.package_id)
            script_path = data.get("script_path", process.script_path)
            if (package_id, script_path) == (process.package_id, process.script_path):
                return super().update(row_id, data)
            _check_script(session, package_id, script_path)
            updated = super().update(row_id, {**data, "version": process.version + 1})
            session.refresh(updated)
            return updated


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
