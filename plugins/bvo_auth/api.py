"""`/api/auth`: log in, and who am I."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from werkzeug.exceptions import Unauthorized

from bvo import access, registry, sessions
from bvo.access import public, requires
from bvo.database import db
from bvo_access.models import User
from bvo_hookspecs import Principal
from bvo_hookspecs.entities import OPERATIONS

from . import accounts
from .schemas import ForgotIn, LoginIn, MeOut, OkOut, RegisterIn, RegisterOut, ResetIn, TokenOut

blueprint = Blueprint("auth", __name__, url_prefix="/api/auth", description="Login")


@blueprint.post("/login")
@public
@blueprint.arguments(LoginIn, location="form")
@blueprint.response(200, TokenOut)
def login(form: dict[str, str]) -> Any:
    """Log in with user name and password (OAuth2 password form)"""
    principal = sessions.log_in(form["username"], form["password"])
    if principal is None:
        raise Unauthorized("Invalid credentials")
    return {"access_token": sessions.issue(principal), "token_type": "bearer"}


@blueprint.post("/register")
@public
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
@blueprint.arguments(ResetIn)
@blueprint.response(200, OkOut)
def reset(data: dict[str, Any]) -> Any:
    """Choose a new password with the token of a link; it works once and ends all sessions"""
    accounts.reset(data["token"], data["new_password"])
    return {"status": "ok"}


@blueprint.get("/me")
@requires(None)
@blueprint.response(200, MeOut)
def me() -> Any:
    """The user, the roles and the permissions of this token"""
    principal = access.principal()
    user = db.session.get_one(User, principal.id)
    return {"user": user, "roles": user.roles, "permissions": permission_map(principal)}


def permission_map(principal: Principal) -> dict[str, dict[str, Any]]:
    """The principal's permissions as clients read them: by artifact (those with any), and flat."""
    matrix = {
        artifact: {operation: principal.can(f"{artifact}:{operation}") for operation in OPERATIONS}
        for artifact in registry.current().artifacts()
    }
    granted = {artifact: row for artifact, row in matrix.items() if any(row.values())}
    flat = {f"{artifact}:{operation}": may for artifact, row in granted.items() for operation, may in row.items()}
    return {"by_artifact": granted, "flat": flat}
