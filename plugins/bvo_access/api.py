"""Which user has which roles."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from bvo import registry
from bvo.access import requires
from bvo.entities import ROW

from .models import User
from .schemas import AssignmentIn, AssignmentOut, RoleOut
from .service import UserService

blueprint = Blueprint("access", __name__, url_prefix="/api/access", description="Users and roles")


@blueprint.get(f"/users/{ROW}/roles")
@requires("users:view")
@blueprint.response(200, RoleOut(many=True))
def user_roles(row_id: int) -> Any:
    """The roles of a user"""
    return _users().get(row_id).roles


@blueprint.post(f"/users/{ROW}/roles")
@requires("users:edit")
@blueprint.alt_response(409, description="This is the last administrator")
@blueprint.arguments(AssignmentIn)
@blueprint.response(200, AssignmentOut)
def assign_roles(data: dict[str, Any], row_id: int) -> Any:
    """Replace the roles of a user"""
    user: User = _users().assign(row_id, data["role_ids"])
    return {"user": user, "roles": user.roles}


def _users() -> UserService:
    return registry.current().service(UserService)
