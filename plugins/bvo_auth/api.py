"""`/api/auth`: log in, and who am I."""

from __future__ import annotations

from typing import Any

from flask import jsonify
from flask_smorest import Blueprint
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response

from bvo import access, registry, sessions
from bvo.access import public, requires
from bvo.database import db
from bvo.entities import ROW
from bvo.session_tokens import Tokens
from bvo_access.models import User

from . import accounts
from .permissions import permission_map
from .schemas import (
    ForgotIn,
    LoginIn,
    MeOut,
    OkOut,
    OwnSessionOut,
    RefreshIn,
    RegisterIn,
    RegisterOut,
    ResetIn,
    TokenOut,
)
from .service import SessionService

blueprint = Blueprint("auth", __name__, url_prefix="/api/auth", description="Login")


@blueprint.post("/login")
@public
@blueprint.alt_response(401, description="Wrong user name or password")
@blueprint.arguments(LoginIn, location="form")
@blueprint.response(200, TokenOut)
def login(form: dict[str, str]) -> Any:
    """Log in with user name and password (OAuth2 password form)"""
    principal = sessions.log_in(form["username"], form["password"])
    if principal is None:
        raise Unauthorized("Invalid credentials")
    renewable = "offline_access" in form.get("scope", "").split()
    return _shown(sessions.issue_renewable(principal) if renewable else sessions.issue(principal))


@blueprint.post("/refresh")
@public
@blueprint.arguments(RefreshIn)
@blueprint.alt_response(401, description="The token was used before, has expired, or its session was ended")
@blueprint.response(200, TokenOut)
def refresh(data: dict[str, str]) -> Any:
    """Exchange a refresh token for new tokens. It works once: shown again, it ends the session"""
    return _shown(sessions.renew(data["refresh_token"]))


@blueprint.post("/logout")
@requires(None)
@blueprint.response(200, OkOut)
def logout() -> Any:
    """End the session of this token; its tokens are worth nothing from now on"""
    response = jsonify(status="ok")
    sessions.end(response)
    return response


@blueprint.get("/sessions")
@requires(None)
@blueprint.response(200, OwnSessionOut(many=True))
def own_sessions() -> Any:
    """Where you are logged in"""
    return _sessions().own()


@blueprint.delete(f"/sessions/{ROW}")
@requires(None)
@blueprint.response(204)
def end_session(row_id: int) -> None:
    """End one of your sessions"""
    _sessions().end_own(row_id)


@blueprint.post("/register")
@public
@blueprint.alt_response(403, description="Registration is switched off, or not for this e-mail address")
@blueprint.alt_response(409)
@blueprint.arguments(RegisterIn)
@blueprint.response(200, RegisterOut)
def register(data: dict[str, Any]) -> Any:
    """Make an account without roles, where registration is switched on"""
    return accounts.register(data)


@blueprint.post("/forgot")
@public
@blueprint.arguments(ForgotIn)
@blueprint.response(200, OkOut)
def forgot(data: dict[str, Any]) -> Any:
    """Ask for a new password; the answer is the same whoever asks"""
    accounts.forgot(data["username"], data.get("email"), data.get("new_password"))
    return {"status": "ok"}


@blueprint.post("/reset")
@public
@blueprint.alt_response(401, description="The link was used already, or has expired")
@blueprint.arguments(ResetIn)
@blueprint.response(200, OkOut)
def reset(data: dict[str, Any]) -> Any:
    """Choose a new password with the token of a link; it works once and ends all sessions"""
    accounts.reset(data["token"], data["new_password"])
    return {"status": "ok"}


@blueprint.get("/me")
@requires(None, principals=("user", "token"))
@blueprint.response(200, MeOut)
def me() -> Any:
    """The user, the user's roles, and the permissions that this session or API token has now"""
    principal = access.principal()
    user = db.session.get_one(User, principal.id)
    return {"user": user, "roles": user.roles, "permissions": permission_map(principal)}


def _sessions() -> SessionService:
    return registry.current().service(SessionService)


def _shown(tokens: Tokens) -> dict[str, Any]:
    shown = {"access_token": tokens.access, "token_type": "bearer", "expires_in": tokens.expires_in}
    return shown | ({"refresh_token": tokens.refresh} if tokens.refresh else {})


@blueprint.after_request
def _no_store(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
