"""The entity type `session`."""

from __future__ import annotations

from marshmallow import fields, validate

from bvo.entities import equals, everything, search
from bvo.session_store import KINDS, UserSession
from bvo_access.schemas import UserOut
from bvo_hookspecs import EntityType, EventType, NavItem

from .accounts import RESET_REQUESTED
from .schemas import SessionOut
from .service import SessionService

SESSION = EntityType(
    name="session",
    plural="sessions",
    label="Session",
    model=UserSession,
    read_schema=SessionOut,
    service=SessionService,
    scope=everything,
    columns=("id", "username", "kind", "ip_address", "last_used_at", "expires_at"),
    filters=(
        equals(UserSession.user_id, fields.Integer(validate=validate.Range(1, 2**31 - 1))),
        equals(UserSession.kind, fields.String(validate=validate.OneOf(KINDS))),
        search(UserSession.username, UserSession.ip_address),
    ),
    nav=NavItem(name="sessions", label="Sessions", order=82),
)

EVENT_TYPES = (
    EventType(
        name=RESET_REQUESTED,
        action="auth.reset_requested",
        action_type="reset_requested",
        help="Somebody asked for a new password, for a user name that may or may not exist.",
        metadata={"email_digest": fields.String()},
    ),
    EventType(
        name="user.reset_link_made", help="A link was made by which the user chooses a new password.", schema=UserOut
    ),
)
