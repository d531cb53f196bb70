"""A version of a process in the web UI: what it changed, and the way back to it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from bvo import registry
from bvo.access import requires
from bvo.database import db
from bvo.entities import ROW

from .comparison import compare
from .models import ProcessVersion
from .service import ProcessService

VERSION = ROW.replace("row_id", "version")

pages = Blueprint("process_pages", __name__, url_prefix=f"/ui/processes/{ROW}/versions/{VERSION}")


@pages.get("")
@requires("processes:view")
def show(row_id: int, version: int) -> str:
    """The differences to the version before it."""
    process = registry.current().service(ProcessService).get(row_id)
    latest = select(ProcessVersion).where(ProcessVersion.process_id == row_id, ProcessVersion.version <= version)
    found = db.session.scalars(latest.order_by(ProcessVersion.version.desc()).limit(2)).all()
    if not found or found[0].version != version:
        raise NotFound(f"Process {process.name} has no version {version}.")
    comparison = compare(found[1], found[0]) if len(found) > 1 else None
    return render_template("bvo_processes/version.html", process=process, version=found[0], comparison=comparison)


@pages.post("/roll-back")
@requires("processes:edit")
def roll_back(row_id: int, version: int) -> Response:
    process = registry.current().service(ProcessService).roll_back(row_id, version)
    flash(
        f"Process {process.name} runs what version {version} ran, as version {process.version}.",
        f"/ui/processes/{row_id}/versions/{process.version}",
    )
    return redirect(f"/ui/processes/{row_id}")
