"""What a running job may know of assets."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_smorest import Blueprint

from bvo import access, registry
from bvo.access import requires
from bvo_jobs import execution

from .schemas import RevealedOut
from .service import AssetService

blueprint = Blueprint("asset_reveal", __name__, url_prefix="/api/runner", description="Assets for running jobs")


@blueprint.get("/assets/<name>")
@requires(None, principals=("robot",))
@blueprint.response(200, RevealedOut)
def reveal(name: str) -> Any:
    """The asset, with its secret, for the job that this robot runs; each reveal of a secret is audited"""
    job = execution.held_by_lease(access.principal().id, request.headers.get("X-Lease-Token"))
    return registry.current().service(AssetService).reveal(name, job)
