"""The versions of a process."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from bvo import registry
from bvo.access import requires
from bvo.entities import ROW

from . import service
from .models import Process, ProcessVersion
from .schemas import ProcessOut, ProcessVersionOut, RollBackIn
from .service import ProcessService

blueprint = Blueprint("process_versions", __name__, url_prefix="/api/processes", description="Versions of processes")


@blueprint.get(f"/{ROW}/versions")
@requires("processes:view")
@blueprint.response(200, ProcessVersionOut(many=True))
def versions(row_id: int) -> list[ProcessVersion]:
    """What the process ran when: its latest 200 versions, newest first"""
    return service.versions(registry.current().service(ProcessService).get(row_id).id)


@blueprint.post(f"/{ROW}/roll-back")
@requires("processes:edit")
@blueprint.alt_response(409, description="The package of that version was deleted, or it is what runs now")
@blueprint.arguments(RollBackIn)
@blueprint.response(200, ProcessOut)
def roll_back(data: dict[str, Any], row_id: int) -> Process:
    """Run what an earlier version ran, as a new version"""
    return registry.current().service(ProcessService).roll_back(row_id, data["version"])
