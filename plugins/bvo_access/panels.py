"""The roles of a user; what a role may do, and its users."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bvo.database import db
from bvo_hookspecs import DetailPanel
from bvo_hookspecs.entities import OPERATIONS

from .models import Role, User, UserRole

MAX_USERS = 50


def roles_panel(user_id: int) -> dict[str, Any]:
    return {"user": db.session.get_one(User, user_id)}


def permissions_panel(role_id: int) -> dict[str, Any]:
    role = db.session.get_one(Role, role_id)
    granted = {row.artifact: {each: getattr(row, f"can_{each}") for each in OPERATIONS} for row in role.permissions}
    return {"role": role, "permissions": dict(sorted(granted.items())), "operations": OPERATIONS}


def members_panel(role_id: int) -> dict[str, Any]:
    """Those who hold a role, along its index."""
    holders = select(User).join(UserRole, UserRole.user_id == User.id).where(UserRole.role_id == role_id)
    found = db.session.scalars(holders.order_by(User.id).limit(MAX_USERS + 1)).all()
    return {"users": found[:MAX_USERS], "more": len(found) > MAX_USERS}


PANELS = (
    DetailPanel(
        name="user_roles",
        entity_type="user",
        title="Roles",
        template="bvo_access/roles_panel.html",
        context=roles_panel,
        order=10,
        permission="roles:view",
    ),
    DetailPanel(
        name="permissions",
        entity_type="role",
        title="Permissions",
        template="bvo_access/permissions_panel.html",
        context=permissions_panel,
        order=5,
        covers=("description", "permissions"),
    ),
    DetailPanel(
        name="members",
        entity_type="role",
        title="Users",
        template="bvo_access/members_panel.html",
        context=members_panel,
        order=10,
        permission="users:view",
    ),
)
