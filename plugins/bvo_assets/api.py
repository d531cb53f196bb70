"""What a running job may know of assets."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_smorest import Blueprint
from werkzeug.wrappers import Response

from bvo import access, registry
from bvo.access import requires
from bvo_jobs import execution

from .schemas import RevealedOut
from .service import AssetService

blueprint = Blueprint("asset_reveal", __name__, url_prefix="/api/runner", description="Assets for running jobs")


@blueprint.get("/assets/<path:name>", parameters=[{"in": "path", "name": "name", "example": "erp-login"}])
@requires(None, principals=("robot",))
@blueprint.doc(parameters=[execution.LEASE_PARAMETER])
@blueprint.alt_response(409, description="The robot does not hold a job, or not with this lease")
@blueprint.response(200, RevealedOut)
def reveal(name: str) -> Any:
    """The asset, with its secret, for the job that this robot runs; each reveal of a secret is audited"""
    lease_token = request.headers.get(execution.LEASE_HEADER)
    return registry.current().service(AssetService).reveal(name, access.principal().id, lease_token)


@blueprint.after_request
def _no_store(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
