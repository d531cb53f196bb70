"""The users of identities: found, made at the first sign-in, and given the roles of their groups."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict

from bvo import access, events, registry
from bvo.database import db, transaction
from bvo.sessions import LoginRefused
from bvo_access.models import Role, User
from bvo_access.schemas import UserIn
from bvo_access.service import UserService, principal_of
from bvo_hookspecs import Principal

from .configuration import Configuration
from .models import Identity

log = logging.getLogger(__name__)

PROVIDER = Principal(kind="system", id=None, name="oidc", is_admin=True)
"""Who makes users and gives roles, in the audit log."""

NO_GROUP = "None of your groups may sign in here. Ask whoever looks after the groups, or an administrator."
DISABLED = "This user is disabled. Ask an administrator."


def admit(claims: Mapping[str, Any], configuration: Configuration) -> Principal:
    """The user of an identity, with the roles that its groups have now. Raises LoginRefused."""
    with _as_provider():
        user = _prepared(claims, configuration)
    if configuration.roles and not user.roles:  # after the commit: what was taken away stays taken away
        raise LoginRefused(NO_GROUP, user.username)
    return principal_of(user)


def link(username: str, issuer: str, subject: str) -> User:
    """From now on this identity signs in as `username`. Raises LookupError where nobody who may is named so."""
    with transaction() as session:
        user = session.scalars(select(User).where(User.username == username)).one_or_none()
        if user is None:
            raise LookupError(f"There is no user named {username!r}.")
        if user.is_service:
            raise LookupError(f"{username!r} is a service account, which never logs in.")
        _link(session, user, issuer, subject)
        return user


def _prepared(claims: Mapping[str, Any], configuration: Configuration) -> User:
    issuer, subject = configuration.issuer, claims["sub"]
    with transaction() as session:
        session.execute(select(Role.id).where(Role.is_admin).with_for_update())  # one at a time: two tabs, one user
        named, granted = _mapped(claims, configuration)
        user = session.scalars(
            select(User)
            .join(Identity, Identity.user_id == User.id)
            .where(Identity.issuer == issuer, Identity.subject == subject)
        ).one_or_none()
        if user is None:
            if configuration.roles and not granted:
                raise LoginRefused(NO_GROUP, _username(claims))
            user = _created(claims)
            _link(session, user, issuer, subject)
        if not user.is_active:
            raise LoginRefused(DISABLED, user.username)
        kept = {role.id for role in user.roles} - named
        return _assigned(user, kept | granted)


def _mapped(claims: Mapping[str, Any], configuration: Configuration) -> tuple[set[int], set[int]]:
    """The ids of all roles that the mapping names, and of those that these groups have."""
    if not configuration.roles:
        return set(), set()
    roles, groups = list(db.session.scalars(select(Role))), _groups(claims, configuration)
    named: set[int] = set()
    granted: set[int] = set()
    for group, name in configuration.roles:
        meant = {role.id for role in roles if role.name.casefold() == name.casefold()}
        if not meant:
            log.warning("BVO_OIDC_ROLES names the role %r, which does not exist", name)
        named |= meant
        granted |= meant if group in groups else set()
    return named, granted


def _groups(claims: Mapping[str, Any], configuration: Configuration) -> set[str]:
    found = claims.get(configuration.groups_claim)
    if isinstance(found, str):
        return {found}
    return {group for group in found if isinstance(group, str)} if isinstance(found, list) else set()


def _created(claims: Mapping[str, Any]) -> User:
    """A new user without a password. A user who is there already is never taken over, whoever claims the name.

    Raises LoginRefused with the command to link the two, but for the user's name: an administrator must decide that.
    """
    data = _profile(claims)
    try:
        return _users().create(data)
    except Conflict:
        command = shlex.join(["bvo", "oidc", "link", "USERNAME", claims["sub"]])
        raise LoginRefused(
            "A user with your name or e-mail address is here already. If that is you, ask an administrator to run"
            f" `{command}`.",
            data["username"],
        ) from None


def _profile(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Name and e-mail address as the rules for users allow them; what is not allowed is left out."""
    data = {"username": _username(claims), "full_name": claims.get("name")}
    if str(claims.get("email_verified")).lower() != "false":  # some providers send it as a text
        data["email"] = claims.get("email")
    refused = UserIn(only=tuple(data)).validate(data, partial=True)
    return {name: value for name, value in data.items() if value and name not in refused}


def _username(claims: Mapping[str, Any]) -> str:
    wanted = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
    return re.sub(r"[^A-Za-z0-9._@+-]+", "-", wanted).lstrip("._@+-")[:150] or "user"


def _assigned(user: User, role_ids: set[int]) -> User:
    try:
        return _users().assign(user.id, sorted(role_ids))
    except Conflict as error:  # the last administrator would be none any more
        raise LoginRefused(str(error.description), user.username) from None


def _link(session: Session, user: User, issuer: str, subject: str) -> None:
    identity = session.scalars(select(Identity).filter_by(issuer=issuer, subject=subject)).one_or_none()
    if identity is None:
        session.add(Identity(issuer=issuer, subject=subject, user_id=user.id))
    else:
        identity.user_id = user.id
    session.flush()
    told = {"issuer": issuer, "subject": subject}
    events.emit("identity_linked", _users().entity, user, metadata=told)


@contextmanager
def _as_provider() -> Iterator[None]:
    before = access.principal()
    access.act_as(PROVIDER)
    try:
        yield
    finally:
        access.act_as(before)


def _users() -> UserService:
    return registry.current().service(UserService)
