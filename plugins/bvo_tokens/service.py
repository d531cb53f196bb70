"""API tokens as people see them: made, shown once, looked at, revoked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy import Select
from werkzeug.exceptions import UnprocessableEntity

from bvo import access, registry, tokens
from bvo.database import db, transaction, utcnow
from bvo.entities import Creates, Deletes
from bvo_access.models import User
from bvo_access.service import check_grantable, check_may_change, principal_of
from bvo_hookspecs import Principal
from bvo_hookspecs.entities import OPERATIONS

from .models import ApiToken
from .schemas import ApiTokenIn

KIND = "bvok"
"""What every API token begins with."""
SHOWN = 9
"""How many characters of a token are kept in clear: its kind, and 24 of its 256 random bits."""


class ApiTokenService(Creates[ApiToken], Deletes[ApiToken]):
    """Create, and delete, which revokes at once; the audit log keeps the history."""

    empty_template = "bvo_tokens/tokens_empty.html"

    def form_schema(self, row: ApiToken | None, given: Mapping[str, Any]) -> Schema:
        """Boxes for what the principal may do; for others, those may make tokens who may change users."""
        may = access.principal().can
        every = (f"{artifact}:{operation}" for artifact in registry.current().artifacts() for operation in OPERATIONS)
        scopes = fields.List(
            fields.String(),
            required=True,
            validate=(validate.Length(1, error="Check at least one."), validate.ContainsOnly(list(filter(may, every)))),
            metadata={"description": "What the token may do, within what its user may"},
        )
        others = may("users:edit") and may("users:view")
        return ApiTokenIn.from_dict({"scopes": scopes})(exclude=() if others else ("user_id",))

    def create(self, data: Mapping[str, Any]) -> ApiToken:
        """The row carries `token` this once; afterwards only its digest is known.

        Raises Forbidden where the token could do more than whoever creates it, and UnprocessableEntity where it
        could do more than its user, who must be there and not disabled.
        """
        token = tokens.new(KIND)
        kept = {"token_hash": tokens.digest(token), "prefix": token[:SHOWN], "created_by": access.principal().name}
        with transaction():
            row = super().create({**_checked(data), **kept})
        row.token = token  # type: ignore[attr-defined]
        return row

    def delete(self, row_id: int) -> None:
        with transaction():
            _check_owner(self.get(row_id).user)
            super().delete(row_id)


def visible(principal: Principal, query: Select[Any]) -> Select[Any]:
    """The scope: one's own tokens, and for who may see users those of all."""
    return query if principal.can("users:view") else query.where(ApiToken.user_id == principal.id)


def _checked(data: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of what was asked for, where the principal may have it."""
    user, scopes, now = _user(data.get("user_id", access.principal().id)), sorted(set(data["scopes"])), utcnow()
    _check_owner(user)
    check_grantable(False, scopes)
    _check_useful(user, scopes)
    end = now + timedelta(days=data["expires_in_days"])
    return {"name": data["name"], "user": user, "scopes": scopes, "created_at": now, "expires_at": end}


def _user(user_id: int | None) -> User:
    user = db.session.get(User, user_id) if user_id else None
    if user is None:
        raise UnprocessableEntity(f"There is no user with the id {user_id}. Name one in `user_id`.")
    return user


def _check_owner(user: User) -> None:
    """Tokens are managed by their own user, and by those who may change that user."""
    if user.id != access.principal().id:
        access.require("users:edit")
        check_may_change(user)


def _check_useful(user: User, scopes: Iterable[str]) -> None:
    if not user.is_active:
        raise UnprocessableEntity(f"{user.username} is disabled. Enable the user first.")
    may = principal_of(user).can
    if lacking := [scope for scope in scopes if not may(scope)]:
        raise UnprocessableEntity(f"{user.username} lacks {', '.join(lacking)}. Leave it out, or give the user a role.")
