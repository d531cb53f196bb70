"""The roles of a user, and the users of a role."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bvo.database import db
from bvo_hookspecs import DetailPanel

from .models import User, UserRole

MAX_USERS = 50


def roles_panel(user_id: int) -> dict[str, Any]:
    return {"user": db.session.get_one(User, user_id)}


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
        name="members",
        entity_type="role",
        title="Users",
        template="bvo_access/members_panel.html",
        context=members_panel,
        order=10,
        permission="users:view",
    ),
)
