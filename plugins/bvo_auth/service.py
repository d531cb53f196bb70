"""The user of a session."""

from __future__ import annotations

import jwt
from jwt.exceptions import PyJWTError
from sqlalchemy import select
from werkzeug.exceptions import NotFound, Unauthorized
from werkzeug.wrappers import Request

from bvo import access, events, session_store, sessions
from bvo.database import db, transaction
from bvo.entities import Deletes
from bvo.session_store import UserSession
from bvo_access.service import load_principal
from bvo_hookspecs import Principal


class SessionService(Deletes[UserSession]):
    """Sessions of all users. They begin with a login; to delete one is to end it."""

    def own(self) -> list[UserSession]:
        """Those of the user who asks, newest first, at most 100. That of this request is marked as `current`."""
        current = sessions.current()
        mine = select(UserSession).where(UserSession.user_id == access.principal().id)
        rows = list(db.session.scalars(mine.order_by(UserSession.id.desc()).limit(100)))
        for row in rows:
            row.current = current is not None and row.id == current.id
        return rows

    def end_own(self, row_id: int) -> None:
        """End one of them. Raises NotFound, also for one of somebody else."""
        with transaction():
            row = self.get(row_id)
            if row.user_id != access.principal().id:
                raise NotFound("You have no session with this id.")
            before = events.snapshot(self.entity, row)
            session_store.end(row)
            events.emit("deleted", self.entity, row, before=before)


def authenticate_session(request: Request) -> Principal | None:
    """The user of the session, with the roles of this moment. Raises Unauthorized for a token that does not hold."""
    used = sessions.authenticate() if _is_session(request) else None
    if used is None:
        return None
    found = load_principal(used.user_id)
    if found is None:
        raise Unauthorized("This user does not exist any more, or is disabled.")
    return found


def _is_session(request: Request) -> bool:
    """False for a Bearer token of another type: SDK tokens say so in their header, and API tokens are no JWTs."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return True
    try:
        return bool(jwt.get_unverified_header(token).get("typ") == "JWT")
    except PyJWTError:
        return False
