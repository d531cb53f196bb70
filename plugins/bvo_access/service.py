"""Users and roles: every change of who may do what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, Forbidden, UnprocessableEntity

from bvo import access, events, session_store
from bvo.database import db, transaction
from bvo.entities import Creates, Deletes, Updates
from bvo_hookspecs import Principal

from . import passwords
from .models import CAN_LOG_IN, Role, RolePermission, User
from .schemas import UserForm, role_form

NO_PASSWORD = "A service account has no password: it acts by API tokens alone. Leave it out."  # noqa: S105 - a sentence


class UserService(Creates[User], Updates[User]):
    """Users; a user is disabled, not deleted, so that the audit log keeps its names."""

    def form_schema(self, row: User | None, given: Mapping[str, Any]) -> Schema:
        """Roles are given with the user, by those who see them; a service account has no password."""
        may = access.principal().can
        unasked = set() if may("roles:view") and may("users:edit") else {"role_ids"}
        if row is not None:
            unasked |= {"is_service", "password"} if row.is_service else {"is_service"}
        return UserForm(exclude=unasked)

    def create_from_form(self, data: Mapping[str, Any]) -> User:
        """Create the user, with these roles."""
        values = dict(data)
        role_ids = values.pop("role_ids", [])
        with transaction():
            user = self.create(values)
            return self.assign(user.id, role_ids) if role_ids else user

    def update_from_form(self, row_id: int, data: Mapping[str, Any]) -> User:
        """Change the user and the roles, or neither."""
        values = dict(data)
        role_ids = values.pop("role_ids", None)
        with transaction():
            user = self.update(row_id, values) if values else self.get(row_id)
            return user if role_ids is None else self.assign(row_id, role_ids)

    def create(self, data: Mapping[str, Any]) -> User:
        if data.get("is_service") and "password" in data:
            raise UnprocessableEntity(NO_PASSWORD)
        return super().create(_with_hash(data))

    def update(self, row_id: int, data: Mapping[str, Any]) -> User:
        """Change a user. Whoever is disabled or gets another password is logged out everywhere."""
        with transaction() as session:
            user = self.get(row_id)
            check_may_change(user)
            _check_kind(user, data)
            disabled = data.get("is_active") is False
            if disabled:
                _keep_an_administrator(session, without=row_id)
            changed = _with_hash(data)
            told = {"password_changed": True} if "password" in data else {}
            if told or disabled:
                session_store.end_all(row_id)
            return self.change(session, user, changed, **told)

    def set_password_hash(self, row_id: int, password_hash: str) -> User:
        """Give the user another password, and end all sessions that began with the old one."""
        with transaction() as session:
            user = self.get(row_id)
            if user.is_service:
                raise UnprocessableEntity(NO_PASSWORD)
            user.password_hash = password_hash
            session.flush()
            session_store.end_all(row_id)
            events.emit("password_changed", self.entity, user)
            return user

    def end_sessions(self, row_id: int) -> User:
        """End all sessions of the user: log them out everywhere."""
        with transaction():
            user = self.get(row_id)
            check_may_change(user)
            session_store.end_all(row_id)
            events.emit("sessions_ended", self.entity, user)
            return user

    def assign(self, row_id: int, role_ids: list[int]) -> User:
        """Replace a user's roles. Raises UnprocessableEntity for unknown ones, Forbidden for what the caller lacks."""
        with transaction() as session:
            user = self.get(row_id)
            check_may_change(user)
            roles = list(session.scalars(select(Role).where(Role.id.in_(role_ids)).order_by(Role.id)))
            if missing := set(role_ids) - {role.id for role in roles}:
                raise UnprocessableEntity(f"There are no roles with these ids: {sorted(missing)}.")
            for role in roles:
                check_grantable(role.is_admin, [permission for row in role.permissions for permission in row.granted()])
            if user.is_admin and not any(role.is_admin for role in roles):
                _keep_an_administrator(session, without=row_id)
            before = [role.name for role in user.roles]
            if set(user.roles) == set(roles):
                return user
            user.roles = roles
            session.flush()
            names = {"roles_before": before, "roles_after": [role.name for role in roles]}
            events.emit("roles_assigned", self.entity, user, metadata=names)
            return user


class RoleService(Creates[Role], Updates[Role], Deletes[Role]):
    """Roles and their permissions."""

    def form_schema(self, row: Role | None, given: Mapping[str, Any]) -> Schema:
        return role_form()

    def form_applies(self, shown: Mapping[str, Any]) -> bool:
        return not self.get(shown["id"]).is_builtin

    def create(self, data: Mapping[str, Any]) -> Role:
        return super().create(_with_permissions(data))

    def update(self, row_id: int, data: Mapping[str, Any]) -> Role:
        with transaction() as session:
            role = self._changeable(row_id)
            self.check_unique(session, data, row_id)
            values, before = _with_permissions(data), events.snapshot(self.entity, role)
            if "permissions" in values:  # the unique (role, artifact) asks for the old rows to go first
                role.permissions = []
                session.flush()
            for name, value in values.items():
                setattr(role, name, value)
            if "permissions" in values or session.is_modified(role):
                session.flush()
                events.emit("updated", self.entity, role, before=before)
            return role

    def delete(self, row_id: int) -> None:
        with transaction():
            self._changeable(row_id)
            super().delete(row_id)

    def _changeable(self, row_id: int) -> Role:
        if (role := self.get(row_id)).is_builtin:
            raise Conflict(f"The role {role.name} is built in and can't be changed. Create one of your own.")
        return role


def load_principal(user_id: int) -> Principal | None:
    """The principal of a user, with the permissions of this moment; None where the user is gone or disabled."""
    user = db.session.get(User, user_id)
    return principal_of(user) if user and user.is_active else None


def principal_of(user: User) -> Principal:
    granted = frozenset(permission for role in user.roles for row in role.permissions for permission in row.granted())
    return Principal(kind="user", id=user.id, name=user.username, permissions=granted, is_admin=user.is_admin)


def check_password(username: str, password: str) -> Principal | None:
    """The principal where name and password are right and the user is active; as slow for unknown users."""
    user = db.session.scalars(select(User).where(User.username == username, *CAN_LOG_IN)).one_or_none()
    right = passwords.matches(password, user.password_hash if user else None)
    return principal_of(user) if user and right else None


def check_grantable(everything: bool, permissions: Iterable[str]) -> None:
    """Raise Forbidden where the principal would give away what they do not have."""
    giver = access.principal()
    lacking = sorted(permission for permission in permissions if not giver.can(permission))
    if (everything and not giver.is_admin) or lacking:
        raise Forbidden(f"You can't grant what you lack: {', '.join(lacking) or 'everything'}.")


def check_may_change(user: User) -> None:
    """Raise Forbidden where this user may do more than the principal, who with a new password would be that user."""
    giver, changed = access.principal(), principal_of(user)
    if (changed.is_admin and not giver.is_admin) or not all(map(giver.can, changed.permissions)):
        raise Forbidden(f"You can't change {user.username}, who may do more than you. Ask an administrator.")


def _with_hash(data: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(data)
    if password := values.pop("password", None):
        values["password_hash"] = passwords.hashed(password)
    return values


def _with_permissions(data: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(data)
    if "permissions" in values:
        artifacts = [row["artifact"] for row in values["permissions"]]
        if len(artifacts) != len(set(artifacts)):
            raise UnprocessableEntity("`permissions` names an artifact twice. Give one row for each artifact.")
        values["permissions"] = [RolePermission(**row) for row in values["permissions"]]
        check_grantable(False, [permission for row in values["permissions"] for permission in row.granted()])
    return values


def _check_kind(user: User, data: Mapping[str, Any]) -> None:
    if data.get("is_service", user.is_service) != user.is_service:
        raise UnprocessableEntity("A person stays one, and so does a service account. Create another user.")
    if user.is_service and "password" in data:
        raise UnprocessableEntity(NO_PASSWORD)


def _keep_an_administrator(session: Session, without: int) -> None:
    session.execute(select(Role.id).where(Role.is_admin).with_for_update())  # one such check at a time
    others = select(User.id).join(User.roles).where(Role.is_admin, *CAN_LOG_IN, User.id != without).limit(1)
    if session.scalar(others) is None:
        raise Conflict("This is the last administrator. Make another user an administrator first.")
