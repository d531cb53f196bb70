"""The entity types `user` and `role`."""

from __future__ import annotations

from marshmallow import fields

from bvo.entities import equals, everything, search
from bvo.event_types import of_change
from bvo_hookspecs import Action, EntityType, EventType, NavItem

from .models import Role, User
from .schemas import RoleIn, RoleOut, UserIn, UserOut
from .service import RoleService, UserService

USER = EntityType(
    name="user",
    plural="users",
    label="User",
    path="access/users",
    model=User,
    read_schema=UserOut,
    write_schema=UserIn,
    service=UserService,
    scope=everything,
    columns=("id", "username", "email", "is_active", "is_service", "created_at"),
    filters=(
        search(User.username, User.email),
        equals(User.is_service, fields.Boolean(metadata={"label": "Service account"})),
    ),
    actions=(Action(name="end_sessions", label="End all sessions", confirm="Log this user out everywhere?"),),
    nav=NavItem(name="users", label="Users", order=80),
)
ROLE = EntityType(
    name="role",
    plural="roles",
    label="Role",
    path="access/roles",
    model=Role,
    read_schema=RoleOut,
    write_schema=RoleIn,
    service=RoleService,
    scope=everything,
    columns=("id", "name", "description", "updated_at"),
    filters=(search(Role.name),),
    nav=NavItem(name="roles", label="Roles", order=81),
)

EVENT_TYPES = (
    of_change(
        "user",
        "updated",
        help="User was changed. Of a new password it is told that there is one.",
        schema=UserOut,
        metadata={"password_changed": fields.Boolean()},
    ),
    EventType(name="user.password_changed", help="The user has another password.", schema=UserOut),
    EventType(name="user.sessions_ended", help="All sessions of the user were ended.", schema=UserOut),
    EventType(
        name="user.roles_assigned",
        help="The user has other roles.",
        schema=UserOut,
        metadata={"roles_before": fields.List(fields.String()), "roles_after": fields.List(fields.String())},
    ),
)
