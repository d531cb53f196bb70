"""`/api/sdk/auth`."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from werkzeug.wrappers import Response

from bvo import access, throttle
from bvo.access import public, requires
from bvo.throttle import Counter

from . import schemas, service

blueprint = Blueprint("sdk", __name__, url_prefix="/api/sdk/auth", description="Login of developers' tools")


@blueprint.post("/start")
@public
@blueprint.arguments(schemas.SdkStartIn)
@blueprint.response(200, schemas.SdkStartOut)
def start(data: dict[str, Any]) -> Any:
    """Begin the login of a tool; open `verification_url` in a browser, and compare `user_code` there"""
    throttle.attempt(Counter("sdk start", access.address(), free=60))
    return service.start(data["machine_name"], data.get("code_challenge"))


@blueprint.post("/confirm")
@requires(None)
@blueprint.alt_response(404, description="The login has expired, or does not exist")
@blueprint.alt_response(409, description="The login was decided already")
@blueprint.arguments(schemas.SdkSessionIn)
@blueprint.response(200, schemas.SdkOk)
def confirm(data: dict[str, Any]) -> Any:
    """Let the tool act for the logged-in user"""
    service.confirm(data["session_id"])
    return {"status": "ok"}


@blueprint.post("/deny")
@requires(None)
@blueprint.alt_response(404, description="The login has expired, or does not exist")
@blueprint.alt_response(409, description="The login was decided already")
@blueprint.arguments(schemas.SdkSessionIn)
@blueprint.response(200, schemas.SdkOk)
def deny(data: dict[str, Any]) -> Any:
    """Refuse the tool"""
    service.deny(data["session_id"])
    return {"status": "ok"}


@blueprint.get("/status")
@public
@blueprint.arguments(schemas.SdkStatusIn, location="query")
@blueprint.response(200, schemas.SdkStatus)
def status(query: dict[str, Any]) -> Any:
    """Ask how far the login is; the token is handed out once"""
    return service.status(query["session_id"], query.get("code_verifier"))


@blueprint.post("/status")
@public
@blueprint.arguments(schemas.SdkStatusIn)
@blueprint.response(200, schemas.SdkStatus)
def poll(data: dict[str, Any]) -> Any:
    """The same with the session's id in the body, where it reaches no log"""
    return service.status(data["session_id"], data.get("code_verifier"))


@blueprint.after_request
def _no_store(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
